//! What an administrator wants of a server while the engine runs, beside what is configured.

use super::share::Share;

/// Whether a server may be used, as an administrator wants it. Later ones outweigh earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Admin {
    /// As its health says.
    #[default]
    Ready,
    /// It keeps the sessions that it has, and gets no more. It is still checked.
    Drain,
    /// It counts as down, and is not checked.
    Maintenance,
}

/// A value of the configuration that an administrator may put another in the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    configured: T,
    set: Option<T>,
}

impl<T: Copy + PartialEq> Setting<T> {
    /// As it is configured.
    pub const fn new(configured: T) -> Self {
        Self {
            configured,
            set: None,
        }
    }

    /// What applies.
    pub fn get(&self) -> T {
        self.set.unwrap_or(self.configured)
    }

    /// What is configured.
    pub const fn configured(&self) -> T {
        self.configured
    }

    /// This applies from now on.
    pub fn set(&mut self, value: T) {
        self.set = Some(value);
    }

    /// Another configuration says this. What an administrator has set stays as long as it says the same as before; a change of
    /// it is newer than what was set (HAProxy's `srv_state_srv_update` does so with a state file).
    pub fn configure(&mut self, configured: T) {
        if self.configured != configured {
            *self = Self::new(configured);
        }
    }
}

/// How a server stands: what is configured of it, and what administrators have set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    admin: Setting<Admin>,
    weight: Setting<u16>,
    /// Of the server whose health it has.
    inherited: Admin,
}

impl Standing {
    /// As it is configured.
    pub const fn new(share: &Share) -> Self {
        Self {
            admin: Setting::new(configured(share)),
            weight: Setting::new(share.weight),
            inherited: Admin::Ready,
        }
    }

    /// Goes on under another configuration.
    pub fn configure(&mut self, share: &Share) {
        self.admin.configure(configured(share));
        self.weight.configure(share.weight);
    }

    /// An administrator wants it so.
    pub fn set_admin(&mut self, admin: Admin) {
        self.admin.set(admin);
    }

    /// An administrator wants this weight.
    pub fn set_weight(&mut self, weight: u16) {
        self.weight.set(weight);
    }

    /// The server whose health it has stands so.
    pub const fn inherit(&mut self, admin: Admin) {
        self.inherited = admin;
    }

    /// What was set or configured of this very server.
    pub fn own(&self) -> Admin {
        self.admin.get()
    }

    /// What applies because of the server whose health it has.
    pub const fn inherited(&self) -> Admin {
        self.inherited
    }

    /// Whether it is disabled in the configuration, whatever was set since.
    pub fn is_configured_out(&self) -> bool {
        self.admin.configured() == Admin::Maintenance
    }

    /// What applies.
    pub fn effective(&self) -> Admin {
        self.own().max(self.inherited)
    }

    /// Its weight, as it was set or configured.
    pub fn weight(&self) -> u16 {
        self.weight.get()
    }

    /// Its weight, as it is configured.
    pub const fn configured_weight(&self) -> u16 {
        self.weight.configured()
    }

    /// Its weight in the choice of servers: none while it drains.
    pub fn effective_weight(&self) -> u16 {
        match self.effective() {
            Admin::Ready | Admin::Maintenance => self.weight(),
            Admin::Drain => 0,
        }
    }
}

const fn configured(share: &Share) -> Admin {
    if share.disabled {
        Admin::Maintenance
    } else {
        Admin::Ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(weight: u16, disabled: bool) -> Share {
        Share {
            weight,
            disabled,
            ..Share::default()
        }
    }

    #[test]
    fn what_was_set_stays_until_the_configuration_changes_there() {
        let mut standing = Standing::new(&share(3, false));
        standing.set_weight(7);
        standing.set_admin(Admin::Drain);
        standing.configure(&share(3, false));
        assert_eq!((standing.weight(), standing.effective()), (7, Admin::Drain));
        standing.configure(&share(4, false));
        assert_eq!((standing.weight(), standing.effective()), (4, Admin::Drain));
        standing.configure(&share(4, true));
        assert_eq!(standing.effective(), Admin::Maintenance);
        standing.set_admin(Admin::Ready);
        standing.configure(&share(4, true));
        assert_eq!(standing.effective(), Admin::Ready);
        assert!(standing.is_configured_out());
    }

    fn admin() -> impl Strategy<Value = Admin> {
        prop_oneof![Just(Admin::Ready), Just(Admin::Drain), Just(Admin::Maintenance)]
    }

    proptest! {
        #[test]
        fn neither_its_own_state_nor_an_inherited_one_is_weakened(own in admin(), inherited in admin(), weight in 0_u16..=256) {
            let mut standing = Standing::new(&share(1, false));
            standing.set_admin(own);
            standing.inherit(inherited);
            standing.set_weight(weight);
            prop_assert!(standing.effective() >= own && standing.effective() >= inherited);
            prop_assert!(standing.effective() == own || standing.effective() == inherited);
            prop_assert_eq!(standing.weight(), weight);
            let drains = standing.effective() == Admin::Drain;
            prop_assert_eq!(standing.effective_weight(), if drains { 0 } else { weight });
        }
    }
}
