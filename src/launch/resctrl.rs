//! The groups of resctrl: made before the birth, joined after it, removed when a start fails.

use crate::feature::rdt::{Class, Missing};
use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::resctrl::{Group, Made, ResctrlError, Tree};

impl Launch<'_> {
    /// The tree of groups, looked for once.
    pub(super) fn resctrl(&mut self) -> Result<&Tree, Cause> {
        if self.resctrl.is_none() {
            self.resctrl = Some(Tree::find()?);
        }
        Ok(self.resctrl.as_ref().expect("just found"))
    }

    /// The groups that a start will make, for the record.
    pub(super) fn missing_resctrl_groups(&mut self) -> Result<Vec<String>, Cause> {
        let Some(class) = &self.bundle.class else { return Ok(Vec::new()) };
        let mut missing = Vec::new();
        for group in class.makes() {
            if !self.resctrl()?.has(group)? {
                missing.push(group.as_str().to_owned());
            }
        }
        Ok(missing)
    }

    /// The groups made here that `delete` removes.
    pub(super) fn resctrl_groups_of_container(&self) -> Vec<String> {
        let groups = self.bundle.class.iter().flat_map(Class::goes_with_container);
        let made = groups.filter(|group| self.groups_made.contains(group));
        made.map(|group| group.as_str().to_owned()).collect()
    }

    pub(super) fn open_class(&mut self, group: &Group, lines: &[String], missing: Missing) -> Done {
        let tree = self.resctrl()?;
        if missing == Missing::Refuse && !tree.has(group)? {
            return Err(ResctrlError::Missing { group: group.clone() }.into());
        }
        match missing {
            Missing::Make if tree.make(group)? == Made::New => self.groups_made.push(group.clone()),
            _ => tree.compare(group, lines)?,
        }
        Ok(())
    }

    pub(super) fn make_monitoring_group(&mut self, group: &Group) -> Done {
        match self.resctrl()?.make(group)? {
            Made::New => self.groups_made.push(group.clone()),
            Made::Found => return Err(ResctrlError::Exists { group: group.clone() }.into()),
        }
        Ok(())
    }

    pub(super) fn join_resctrl_group(&mut self, group: &Group) -> Done {
        let Some(pid) = self.newborn.as_ref().map(|born| born.pid) else { return Ok(()) };
        Ok(self.resctrl()?.join(group, pid)?)
    }

    /// Takes back what this start has made, the inner ones first.
    pub(super) fn remove_resctrl_groups(&mut self) -> Result<(), ResctrlError> {
        let Some(tree) = &self.resctrl else { return Ok(()) };
        while let Some(group) = self.groups_made.pop() {
            tree.remove(&group)?;
        }
        Ok(())
    }
}
