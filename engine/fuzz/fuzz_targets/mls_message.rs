//! libFuzzer drives `mls_message`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("mls_message", input));
