//! Who the process is to be: accounts, and capabilities to keep.

use serde::Serialize;

/// A user or a group. Whether a name exists is known only when the configuration runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// By name.
    Name(String),
    /// By number, which is not the largest one.
    Id(u32),
}

/// A capability that a proxy can have a use for (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the kernel's manual says what each one allows")]
pub enum Capability {
    DacReadSearch,
    NetAdmin,
    NetBindService,
    NetRaw,
    SysAdmin,
    SysPtrace,
}

impl Capability {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::DacReadSearch,
        Self::NetAdmin,
        Self::NetBindService,
        Self::NetRaw,
        Self::SysAdmin,
        Self::SysPtrace,
    ];

    /// As `setcap` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "cap_dac_read_search",
            Self::NetAdmin => "cap_net_admin",
            Self::NetBindService => "cap_net_bind_service",
            Self::NetRaw => "cap_net_raw",
            Self::SysAdmin => "cap_sys_admin",
            Self::SysPtrace => "cap_sys_ptrace",
        }
    }
}
