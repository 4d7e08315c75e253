//! Carrying out an update, and taking it back.

use crate::cgroup::systemd::{Property, Systemd, SystemdError, Unit, property};
use crate::cgroup::v2::Applied;
use crate::cgroup::{Cgroup, Hierarchy, Optional, Setting, Wanted, limits};
use crate::error::{Error, Place, StepError};
use crate::resctrl::{Group, Tree};
use crate::state::Container;
use crate::update::given::Given;
use crate::update::{Action, Change, restore};

/// What takes a change back.
enum Undo {
    /// Write the value to the file, or the second one where the kernel refuses the first.
    Limit {
        file: String,
        value: String,
        otherwise: Option<String>,
    },
    Schemata {
        group: Group,
        line: String,
    },
    /// Tell systemd this again.
    Systemd {
        unit: Unit,
        properties: Vec<Property>,
    },
    /// Save this configuration.
    Config(Vec<u8>),
}

/// An update under way.
pub struct Changing<'a> {
    container: &'a Container,
    given: &'a Given,
    cgroup: Option<Cgroup>,
    done: Vec<Undo>,
}

impl<'a> Changing<'a> {
    /// Of `container`, which is locked, and its cgroup. `given` is what places refer to.
    pub fn new(container: &'a Container, given: &'a Given, cgroup: Option<Cgroup>) -> Self {
        Self { container, given, cgroup, done: Vec::new() }
    }

    /// Carries out all changes, or none.
    ///
    /// Errors: the change that failed, with what could not be taken back.
    pub fn perform(&mut self, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            if let Err(error) = self.one(&change.action) {
                let left = self.undo();
                return Err(self.told(change, error, left));
            }
        }
        Ok(())
    }

    fn one(&mut self, action: &Action) -> Result<(), Error> {
        match action {
            Action::CheckMemoryUse(check) => {
                let (memory, swap) = self.cgroup()?.memory_in_use()?;
                let refusal = check.refusal(memory, swap);
                refusal.map_or(Ok(()), |said| Err(Error::WrongState(said)))
            }
            Action::EnableControllers(settings) => {
                let wanted = Wanted { needed: &limits::controllers(settings), wished: &[] };
                let path = self.cgroup()?.path().clone();
                Hierarchy::find()?.enable_controllers(&path, &wanted)?;
                Ok(())
            }
            Action::TellSystemd { unit, settings } => self.tell(unit, settings),
            Action::WriteCgroup(setting) => self.write(setting),
            Action::WriteSchemata { group, line } => {
                let tree = Tree::find()?;
                let before = tree.line(group, line)?;
                tree.write_line(group, line)?;
                let back = before.map(|line| Undo::Schemata { group: group.clone(), line });
                self.done.extend(back);
                Ok(())
            }
            Action::SaveConfig(text) => {
                let before = self.container.config()?;
                self.container.replace_config(text)?;
                self.done.push(Undo::Config(before));
                Ok(())
            }
        }
    }

    fn cgroup(&self) -> Result<&Cgroup, Error> {
        self.cgroup.as_ref().ok_or_else(|| {
            Error::WrongState(format!("the container {} has no cgroup to limit", self.container.id()))
        })
    }

    /// The old values are those of the files, read before systemd changes them.
    fn tell(&mut self, unit: &Unit, settings: &[Setting]) -> Result<(), Error> {
        let cgroup = self.cgroup()?;
        let old = |setting: &Setting| {
            let before = cgroup.read_file(&setting.file).ok().flatten()?;
            let value = restore::value(&setting.file, &setting.value, &before);
            Some(Setting { value, ..setting.clone() })
        };
        let before: Vec<Setting> = settings.iter().filter_map(old).collect();
        let told = Systemd::open(unit.manager)?.set(unit, &property::of_settings(settings));
        let properties = property::of_settings(&before);
        self.done.extend(may_have_heard(&told).then(|| Undo::Systemd { unit: unit.clone(), properties }));
        Ok(told?)
    }

    fn write(&mut self, setting: &Setting) -> Result<(), Error> {
        let cgroup = self.cgroup()?;
        // Some files can be written and not read: there is nothing to go back to.
        let read = |file: &str| cgroup.read_file(file).ok().flatten();
        let mut back = Vec::new();
        if setting.file == "cpu.idle" {
            // An idle cgroup forgets its weight.
            back.extend(read("cpu.weight").map(|before| undo_of("cpu.weight", "", &before)));
        }
        let mut other = None;
        if let Optional::OrElse { file, value } = &setting.optional {
            other = read(file).map(|before| undo_of(file, value, &before));
        }
        let mut before = read(&setting.file).map(|before| undo_of(&setting.file, &setting.value, &before));
        if let Some(Undo::Limit { otherwise, .. }) = &mut before {
            // A cpuset with processes cannot be emptied again (ENOSPC, seen with Linux 6.1): then it gets by
            // name what it had without a name. Other files have no .effective beside them.
            *otherwise = read(&format!("{}.effective", setting.file)).map(|set| set.trim().to_owned());
        }
        match cgroup.apply(setting)? {
            Applied::Written => back.extend(before),
            Applied::WrittenElsewhere { .. } => back.extend(other),
            Applied::NotNeeded => return Ok(()),
        }
        self.done.extend(back);
        Ok(())
    }

    /// Takes everything back, the latest first; answers what could not be, in words.
    fn undo(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        while let Some(undo) = self.done.pop() {
            left.extend(self.take_back(undo).err().map(|error| error.to_string()));
        }
        left
    }

    fn take_back(&self, undo: Undo) -> Result<(), Error> {
        match undo {
            Undo::Limit { file, value, otherwise } => {
                let cgroup = self.cgroup()?;
                match (cgroup.write_file(&file, &value), otherwise) {
                    (Err(_), Some(otherwise)) => Ok(cgroup.write_file(&file, &otherwise)?),
                    (written, _) => Ok(written?),
                }
            }
            Undo::Systemd { unit, properties } => Ok(Systemd::open(unit.manager)?.set(&unit, &properties)?),
            Undo::Schemata { group, line } => Ok(Tree::find()?.write_line(&group, &line)?),
            Undo::Config(text) => self.container.replace_config(&text),
        }
    }

    fn told(&self, change: &Change, error: Error, left: Vec<String>) -> Error {
        let cure = match &error {
            Error::Cgroup(error) => error.cure().unwrap_or_default(),
            Error::Systemd(error) => error.cure().unwrap_or_default(),
            Error::Resctrl(error) => error.cure(),
            _ => "",
        };
        let (file, text) = self.given.shown();
        let at = match &error {
            Error::Cgroup(error) => error.at().or(change.at.as_ref()),
            _ => change.at.as_ref(),
        };
        let place = at.map(|at| Place::find(file, text, at));
        let (known, cure) = (Some(error.to_string()), cure.to_owned());
        Error::Step(Box::new(StepError { known, cure, place, left, ..StepError::default() }))
    }
}

/// Without an answer nobody knows; what systemd refuses it refuses as a whole.
fn may_have_heard(told: &Result<(), SystemdError>) -> bool {
    !told.as_ref().is_err_and(SystemdError::is_refusal)
}

fn undo_of(file: &str, written: &str, before: &str) -> Undo {
    let value = restore::value(file, written, before);
    Undo::Limit { file: file.to_owned(), value, otherwise: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_is_taken_back_too() {
        let call = |name: &str| {
            let text = |text: &str| text.to_owned();
            let (method, unit) = (text("SetUnitProperties"), text("a.scope"));
            Err(SystemdError::Call { method, unit, name: text(name), text: String::new() })
        };
        assert!(may_have_heard(&Ok(())));
        let late = SystemdError::Deadline { awaited: "SetUnitProperties".to_owned(), seconds: 30 };
        assert!(may_have_heard(&Err(late)));
        assert!(may_have_heard(&call("org.freedesktop.DBus.Error.NoReply")));
        assert!(!may_have_heard(&call("org.freedesktop.DBus.Error.InvalidArgs")));
    }
}
