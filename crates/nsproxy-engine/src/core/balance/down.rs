//! Why a server can get no sessions now, whatever is configured. Each reason comes and goes by itself; the server can be
//! used again when the last one has gone.

bitflags::bitflags! {
    /// A set of reasons.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Down: u8 {
        /// Nobody knows its address.
        const UNRESOLVED = 1;
        /// Its checks fail.
        const UNHEALTHY = 2;
        /// An administrator has taken it out, or the configuration has.
        const MAINTENANCE = 4;
        /// It has no weight, or gives up its sessions one after the other. Those that have chosen it stay.
        const DRAINED = 8;
    }
}
