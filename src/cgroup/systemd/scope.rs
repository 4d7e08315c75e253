//! What is asked of systemd about the scope of a container: five calls and one signal.
//!
//! A scope is made for processes that are there already: systemd moves them in (org.freedesktop.systemd1(5),
//! StartTransientUnit with `PIDs`). For a user this is the one way in, for only systemd may write to the
//! cgroup in which both the old and the new place lie. What is asked for becomes a job; its end is told by a
//! signal.

use super::bus::Bus;
use super::error::SystemdError;
use super::message::Method;
use super::property::{Property, description};
use super::unit::{Manager, Unit};
use super::value::Value;

const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH: &str = "org.freedesktop.systemd1.NoSuchUnit";
/// A job that is replaced by another one of the same unit has its end there.
const JOB_ENDS: Method<'_> = method("JobRemoved");

/// A method or a signal of systemd's.
const fn method(member: &str) -> Method<'_> {
    Method { destination: NAME, path: PATH, interface: "org.freedesktop.systemd1.Manager", member }
}

/// The object path of a job that systemd has taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job(String);

impl Job {
    fn of(reply: &[Value]) -> Self {
        Self(reply.first().and_then(Value::as_text).unwrap_or_default().to_owned())
    }
}

/// A connection to systemd that hears of the ends of jobs.
#[derive(Debug)]
pub struct Systemd {
    bus: Bus,
}

impl Systemd {
    /// Connects, and asks to be told.
    pub fn open(manager: Manager) -> Result<Self, SystemdError> {
        Self::over(Bus::open(manager)?)
    }

    pub(super) fn over(mut bus: Bus) -> Result<Self, SystemdError> {
        bus.listen_to(JOB_ENDS)?;
        bus.call(&method("Subscribe"), &[], "the manager")?;
        Ok(Self { bus })
    }

    /// Asks for a scope with this process in it. The answer is the job that starts it: then it is ours.
    ///
    /// What this systemd is too old for is left out: the files of the cgroup say it as well. A unit of the
    /// same name that has failed is forgotten first; one that lives is an error.
    pub fn start(&mut self, unit: &Unit, properties: &[Property], pid: i32) -> Result<Job, SystemdError> {
        let version = match properties.iter().any(|property| property.since > 0) {
            true => self.version()?,
            false => 0,
        };
        let pids = Value::Array { of: "u".to_owned(), items: vec![Value::Uint32(pid.cast_unsigned())] };
        let pids = Property { name: "PIDs".to_owned(), value: pids, since: 0 };
        let known = properties.iter().filter(|property| property.since <= version).chain([&pids]);
        let arguments = [
            Value::text(unit.name.as_str()),
            Value::text("fail"),
            list(known),
            Value::Array { of: "(sa(sv))".to_owned(), items: Vec::new() },
        ];
        let start = method("StartTransientUnit");
        let reply = match self.bus.call(&start, &arguments, &unit.name) {
            Err(error) if error.is_named(EXISTS) => {
                self.forget_failed(unit)?;
                self.bus.call(&start, &arguments, &unit.name)?
            }
            other => other?,
        };
        Ok(Job::of(&reply))
    }

    /// Waits until the scope is there.
    pub fn await_start(&mut self, job: &Job, unit: &Unit) -> Result<(), SystemdError> {
        match self.end_of(job, unit)?.as_str() {
            "done" => Ok(()),
            other => Err(SystemdError::Job { unit: unit.name.clone(), result: other.to_owned() }),
        }
    }

    /// Ends what is in the unit and removes it. One that is not there is a success.
    pub fn stop(&mut self, unit: &Unit) -> Result<(), SystemdError> {
        let arguments = [Value::text(unit.name.as_str()), Value::text("replace")];
        match self.bus.call(&method("StopUnit"), &arguments, &unit.name) {
            Err(error) if error.is_named(NO_SUCH) => return Ok(()),
            Err(error) => return Err(error),
            // However it ends: what matters is whether the cgroup is gone, and the caller looks.
            Ok(job) => drop(self.end_of(&Job::of(&job), unit)?),
        }
        self.forget_failed(unit)
    }

    /// Tells a unit what is new about it, until the machine ends.
    pub fn set(&mut self, unit: &Unit, properties: &[Property]) -> Result<(), SystemdError> {
        let version = self.version()?;
        // What happens when memory runs out is asked once, when a unit begins.
        let may = |property: &&Property| property.since <= version && property.name != "OOMPolicy";
        let known: Vec<&Property> = properties.iter().filter(may).collect();
        if known.is_empty() {
            return Ok(());
        }
        let arguments = [Value::text(unit.name.as_str()), Value::Bool(true), list(known.into_iter())];
        self.bus.call(&method("SetUnitProperties"), &arguments, &unit.name).map(drop)
    }

    /// Moves a process into a unit that runs, or into the cgroup `below` it, which begins with a slash.
    pub fn attach(&mut self, unit: &Unit, below: &str, pid: i32) -> Result<(), SystemdError> {
        let pids = Value::Array { of: "u".to_owned(), items: vec![Value::Uint32(pid.cast_unsigned())] };
        let arguments = [Value::text(unit.name.as_str()), Value::text(below), pids];
        self.bus.call(&method("AttachProcessesToUnit"), &arguments, &unit.name).map(drop)
    }

    /// Was this unit made for the container `id`? Its description says so.
    pub fn is_ours(&mut self, unit: &Unit, id: &str) -> Result<bool, SystemdError> {
        let found = self.bus.call(&method("GetUnit"), &[Value::text(unit.name.as_str())], &unit.name);
        let path = match found {
            Err(error) if error.is_named(NO_SUCH) => return Ok(false),
            other => other?,
        };
        let Some(path) = path.first().and_then(Value::as_text) else { return Ok(false) };
        let get = Method { path, interface: PROPERTIES, ..method("Get") };
        let arguments = [Value::text("org.freedesktop.systemd1.Unit"), Value::text("Description")];
        let said = self.bus.call(&get, &arguments, &unit.name)?;
        Ok(said.first().and_then(Value::as_text) == Some(description(id).as_str()))
    }

    /// The number in front of a version such as `257.4-1`.
    fn version(&mut self) -> Result<u32, SystemdError> {
        let get = Method { interface: PROPERTIES, ..method("Get") };
        let arguments = [Value::text("org.freedesktop.systemd1.Manager"), Value::text("Version")];
        let said = self.bus.call(&get, &arguments, "the manager")?;
        let text = said.first().and_then(Value::as_text).unwrap_or_default();
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse().unwrap_or(0))
    }

    /// Forgets that a unit has failed, which would keep its name. Most have not: then this is an error that
    /// says nothing.
    fn forget_failed(&mut self, unit: &Unit) -> Result<(), SystemdError> {
        match self.bus.call(&method("ResetFailedUnit"), &[Value::text(unit.name.as_str())], &unit.name) {
            Ok(_) | Err(SystemdError::Call { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How a job ended.
    fn end_of(&mut self, job: &Job, unit: &Unit) -> Result<String, SystemdError> {
        let is_it = |values: &[Value]| values.get(1).and_then(Value::as_text) == Some(&job.0);
        let ended = self.bus.signal(&format!("the job for {unit}"), is_it)?;
        Ok(ended.get(3).and_then(Value::as_text).unwrap_or_default().to_owned())
    }
}

/// Properties as methods take them: `a(sv)`.
fn list<'a>(properties: impl Iterator<Item = &'a Property>) -> Value {
    Value::Array { of: "(sv)".to_owned(), items: properties.map(Property::to_value).collect() }
}
