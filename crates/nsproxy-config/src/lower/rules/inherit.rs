//! Rules that a proxy takes from its `defaults`.

use super::DraftRules;
use crate::model::{AclId, Rule};

impl DraftRules {
    /// Whether there are any that decide something.
    pub(in crate::lower) fn has_rules(&self) -> bool {
        self.decides_of_connections() || !(self.content.is_empty() && self.response.is_empty())
    }

    /// Whether there are any that only what accepts connections can have.
    pub(in crate::lower) fn decides_of_connections(&self) -> bool {
        !(self.connection.is_empty() && self.session.is_empty())
    }

    /// Waits as long as `base` says, where it does not say so itself and there is something to wait for.
    pub(in crate::lower) fn inherit_delays(&mut self, base: &Self) {
        if !(self.content.is_empty() && base.content.is_empty()) {
            self.inspect_delay = self.inspect_delay.or(base.inspect_delay);
        }
        if !(self.response.is_empty() && base.response.is_empty()) {
            self.response_delay = self.response_delay.or(base.response_delay);
        }
    }

    /// Puts the rules of `base` before its own. The names of its `acl`s are known to them only.
    pub(in crate::lower) fn inherit(&mut self, base: &Self) {
        let offset = self.acls.len();
        for inherited in &base.acls {
            let mut acl = inherited.clone();
            // Whether anything uses it was said of `base`.
            acl.is_used = true;
            acl.acl.name = acl.acl.name.map(|name| self.other_name(base, name));
            self.acls.push(acl);
        }
        let lists = [
            (&mut self.connection, &base.connection),
            (&mut self.session, &base.session),
            (&mut self.content, &base.content),
            (&mut self.response, &base.response),
        ];
        for (own, base) in lists {
            own.splice(..0, base.iter().map(|rule| shifted(rule, offset)));
        }
        self.content_span = self.content_span.or(base.content_span);
        self.response_span = self.response_span.or(base.response_span);
    }
}

impl DraftRules {
    /// A name for an `acl` of `base` that none of its own has: the same, or the same with a number behind it.
    fn other_name(&self, base: &Self, name: String) -> String {
        if !self.names.contains_key(&name) {
            return name;
        }
        let mut others = (2..).map(|number| format!("{name}.{number}"));
        let is_free = |other: &String| !self.names.contains_key(other) && !base.names.contains_key(other);
        others.find(is_free).unwrap_or_default()
    }
}

/// The same rule over `acl`s that have moved.
fn shifted(rule: &Rule, by: usize) -> Rule {
    let mut rule = rule.clone();
    let terms = rule
        .condition
        .iter_mut()
        .flat_map(|condition| condition.any.iter_mut().flatten());
    for term in terms {
        term.acl = AclId(term.acl.0 + by);
    }
    rule
}
