//! The PROXY protocol: `proxy-proto`.

mod decode;
mod differential;
mod round_trip;

pub use decode::decode;
pub use differential::differential;
pub use round_trip::round_trip;
