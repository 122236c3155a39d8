//! libFuzzer drives `update_path`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("update_path", input));
