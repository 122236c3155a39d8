//! libFuzzer drives `private_message`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("private_message", input));
