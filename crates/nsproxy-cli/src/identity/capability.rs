//! Capabilities as the kernel numbers them.

use nsproxy_config::model::Capability;

use crate::sys::capset::Bits;

/// The capability's bit: 1 shifted by its number in `linux/capability.h`.
pub(super) const fn bit(capability: Capability) -> Bits {
    let number = match capability {
        Capability::DacReadSearch => 2,
        Capability::NetBindService => 10,
        Capability::NetAdmin => 12,
        Capability::NetRaw => 13,
        Capability::SysPtrace => 19,
        Capability::SysAdmin => 21,
    };
    1 << number
}

/// As messages have it.
pub(super) fn shown(capability: Capability) -> String {
    capability.name().to_ascii_uppercase()
}
