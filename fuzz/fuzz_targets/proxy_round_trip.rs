//! Writing: what was read, and what operations made from the input ask for, comes back the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::proxy::round_trip(data));
