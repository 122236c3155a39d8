//! libFuzzer drives `key_package`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("key_package", input));
