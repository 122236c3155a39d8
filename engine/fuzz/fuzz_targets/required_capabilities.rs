//! libFuzzer drives `required_capabilities`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("required_capabilities", input));
