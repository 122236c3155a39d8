//! libFuzzer drives `parent_node`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("parent_node", input));
