//! libFuzzer drives `hpke_ciphertext`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("hpke_ciphertext", input));
