//! Plans whose tail does not do what it says.

use crate_run::plan::{Action, Plan};
use crate_run_plan::Operation as Op;

/// The bit of a capability that only the bounding set has.
const NET_RAW: u64 = 1 << 13;

/// What one step of the tail does too little, too much, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    NoIds,
    OtherGroup,
    OtherGroups,
    OneGroupMore,
    ManyGroups,
    NoCapabilities,
    FewerInheritable,
    WideBounding,
    NarrowBounding,
    NoAmbient,
    NoNoNewPrivileges,
    NoUmask,
    NoFilter,
    NoListener,
}

impl Edit {
    pub const ALL: [Edit; 14] = [
        Edit::NoIds,
        Edit::OtherGroup,
        Edit::OtherGroups,
        Edit::OneGroupMore,
        Edit::ManyGroups,
        Edit::NoCapabilities,
        Edit::FewerInheritable,
        Edit::WideBounding,
        Edit::NarrowBounding,
        Edit::NoAmbient,
        Edit::NoNoNewPrivileges,
        Edit::NoUmask,
        Edit::NoFilter,
        Edit::NoListener,
    ];

    /// What the child must say instead of executing the program.
    pub fn told(self) -> &'static str {
        match self {
            Edit::NoIds => "the user is not the one of the plan",
            Edit::OtherGroup => "the group is not the one of the plan",
            Edit::OtherGroups | Edit::OneGroupMore | Edit::ManyGroups => {
                "the supplementary groups are not those of the plan"
            }
            Edit::NoCapabilities | Edit::FewerInheritable => "the capabilities are not those of the plan",
            Edit::WideBounding | Edit::NarrowBounding => "the bounding set is not the one of the plan",
            Edit::NoAmbient => "the ambient set is not the one of the plan",
            Edit::NoNoNewPrivileges => "no_new_privs is not set",
            Edit::NoUmask => "the umask is not the one of the plan",
            Edit::NoFilter | Edit::NoListener => "the seccomp filter of the plan is not in place",
        }
    }

    /// Changes the plan; what reads back stays as it is.
    pub fn apply(self, plan: &mut Plan) {
        plan.steps.retain_mut(|step| match &mut step.action {
            Action::Child(operation) => self.keeps(operation),
            Action::Host(_) => true,
        });
    }

    /// Changes the operation; false leaves it out.
    fn keeps(self, operation: &mut Op) -> bool {
        match (self, operation) {
            (Edit::NoIds, Op::SetIds { .. })
            | (Edit::NoCapabilities, Op::SetCapabilities { .. })
            | (Edit::WideBounding, Op::LimitBounding { .. })
            | (Edit::NoAmbient, Op::SetAmbient { .. })
            | (Edit::NoNoNewPrivileges, Op::NoNewPrivileges {})
            | (Edit::NoUmask, Op::SetUmask { .. })
            | (Edit::NoFilter, Op::InstallFilter { .. }) => return false,
            (Edit::OtherGroup, Op::SetIds { gid, .. }) => *gid += 1,
            (Edit::OtherGroups, Op::SetGroups { groups }) => groups[0] ^= 1,
            (Edit::OneGroupMore, Op::SetGroups { groups }) => groups.extend(7u32.to_ne_bytes()),
            (Edit::ManyGroups, Op::SetGroups { groups }) => {
                groups.extend((1000..1200u32).flat_map(u32::to_ne_bytes));
            }
            (Edit::FewerInheritable, Op::SetCapabilities { inheritable, .. }) => *inheritable = 0,
            (Edit::NarrowBounding, Op::LimitBounding { keep }) => *keep &= !NET_RAW,
            // The number of filters is wrong, as if one with a listener were missing.
            (Edit::NoListener, Op::VerifyFilter { filters, .. }) => *filters += 1,
            _ => {}
        }
        true
    }
}
