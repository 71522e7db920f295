//! Reading: never a panic, and the properties that hold for every input.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::proxy::decode(data));
