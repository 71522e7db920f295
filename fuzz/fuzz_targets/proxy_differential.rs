//! Reading beside other implementations: every difference is a known one.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::proxy::differential(data));
