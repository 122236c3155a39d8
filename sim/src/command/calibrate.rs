//! `arboretum calibrate`: what each operation of the ledger takes on this machine, into a device profile.
//! The engine knows no clock; it is read here, around batches of calls of its providers.

use std::hint::black_box;
use std::process::ExitCode;

use arboretum_engine::crypto::{CipherSuite, CryptoError, Op, Provider, SignedItem, provider};
use arboretum_results::write_whole;
use arboretum_workloads::Profile;

use super::arguments::CalibrateOptions;
use super::failure::Failure;
use super::host::{self, Clock};
use super::scenario::suites;

/// How long a batch takes at least, in seconds: far above the clock's grain, and far below what a scheduler
/// gives a thread at once.
const BATCH_S: f64 = 0.002;

/// Batches of an operation. Their median is told; a few that something else has held up do not move it.
const BATCHES: usize = 15;

/// The most calls of a batch.
const MAX_CALLS: u64 = 1 << 20;

/// Bytes of a short input: about what a parent node is hashed from.
const SHORT: usize = 128;

/// Bytes of a long input, from which the cost of a byte is told.
const LONG: usize = 1 << 16;

/// Bytes of a signed text: about a leaf node.
const SIGNED: usize = 300;

/// What is encrypted: a path secret.
const SECRET: usize = 32;

/// Above this share of the median, the middle half of the batches is too far apart to be trusted.
const WIDE: f64 = 0.2;

/// The middle of several batches, and how far the middle half of them lies apart.
#[derive(Clone, Copy, Debug)]
struct Measured {
    micros: f64,
    spread: f64,
}

impl Measured {
    fn of(mut batches: Vec<f64>) -> Self {
        batches.sort_by(f64::total_cmp);
        let at = |quarters: usize| batches[quarters * (batches.len() - 1) / 4];
        Self { micros: at(2), spread: at(3) - at(1) }
    }

    /// What is left of it without what another takes, which is a part of it.
    fn without(self, part: Self) -> Self {
        Self { micros: self.micros - part.micros, spread: self.spread + part.spread }
    }

    fn relative_spread(self) -> f64 {
        self.spread / self.micros
    }
}

/// Measures a call, in microseconds. The first batches find out how many calls one takes.
fn measure<T>(mut call: impl FnMut() -> Result<T, CryptoError>) -> Result<Measured, CryptoError> {
    let mut batch = |calls: u64| -> Result<f64, CryptoError> {
        let clock = Clock::start();
        for _ in 0..calls {
            black_box(call()?);
        }
        Ok(clock.wall_s())
    };
    let mut calls = 1;
    while batch(calls)? < BATCH_S && calls < MAX_CALLS {
        calls *= 2;
    }
    let each = |seconds: f64| seconds * 1e6 / calls as f64;
    let batches: Result<Vec<f64>, _> = (0..BATCHES).map(|_| batch(calls).map(each)).collect();
    batches.map(Measured::of)
}

/// The costs of a suite, named as in a profile.
fn measure_suite(with: &dyn Provider) -> Result<Vec<(&'static str, Measured)>, CryptoError> {
    let (short, long, secret) = ([7; SHORT], vec![7; LONG], [7; SECRET]);
    let mut seed = [0; 32];
    let mut next_seed = move || {
        // Every call has its own, so that nothing is the same twice.
        seed[0] = u8::wrapping_add(seed[0], 1);
        seed[1] = seed[1].wrapping_add(u8::from(seed[0] == 0));
        seed
    };
    let key = vec![1; with.aead_key_length()];
    let nonce = vec![2; with.aead_nonce_length()];
    let sealed = with.aead_seal(&key, &nonce, &[], &secret)?;
    let pair = with.derive_key_pair(&[3; 32])?;
    let other = with.derive_key_pair(&[4; 32])?;
    let info = with.hpke_info(&short);
    let to_open = with.hpke_seal(&pair.public, &info, &secret, &[5; 32])?;
    let signer = with.signature_key_pair(&[6; 32]);
    let content = [8; SIGNED];
    let signature = with.sign(&signer.private, &content)?;
    let item = SignedItem { key: &signer.public, content: &content, signature: &signature };
    let prk = with.extract(&secret, &secret);

    let hash = measure(|| Ok(with.hash(&[black_box(&short)])))?;
    let hash_long = measure(|| Ok(with.hash(&[black_box(&long)])))?;
    let seal = measure(|| with.aead_seal(&key, &nonce, &[], black_box(&secret)))?;
    let open = measure(|| with.aead_open(&key, &nonce, &[], black_box(&sealed)))?;
    let hpke_seal = measure(|| with.hpke_seal(&pair.public, &info, &secret, &next_seed()))?;
    let hpke_open = measure(|| with.hpke_open(&pair, &info, black_box(&to_open)))?;
    let beyond = hash_long.without(hash);
    let bytes = (LONG - SHORT) as f64;
    let byte = Measured { micros: beyond.micros / bytes, spread: beyond.spread / bytes };
    let mut costs = vec![
        (Op::KemGenerate.name(), measure(|| with.derive_key_pair(black_box(&secret)))?),
        // The ledger counts the AEAD within HPKE by itself.
        (Op::KemEncapsulate.name(), hpke_seal.without(seal)),
        (Op::KemDecapsulate.name(), hpke_open.without(open)),
        (Op::Sign.name(), measure(|| with.sign(&signer.private, black_box(&content)))?),
        (Op::Verify.name(), measure(|| with.verify(black_box(item)))?),
        (Op::Hash.name(), hash),
        (Op::Mac.name(), measure(|| Ok(with.mac(&secret, &[black_box(&secret)])))?),
        (Op::KdfExtract.name(), measure(|| Ok(with.extract(&secret, black_box(&secret))))?),
        (
            Op::KdfExpand.name(),
            measure(|| with.expand(prk.as_slice(), black_box(&secret), with.digest_length()))?,
        ),
        (Op::AeadSeal.name(), seal),
        (Op::AeadOpen.name(), open),
        ("hash_byte", byte),
    ];
    match measure(|| with.dh(&pair, black_box(&other.public))) {
        Ok(dh) => costs.push((Op::Dh.name(), dh)),
        Err(CryptoError::NoAgreement) => {}
        Err(error) => return Err(error),
    }
    Ok(costs)
}

/// Measures, and writes the profile.
pub(crate) fn run(options: &CalibrateOptions) -> Result<ExitCode, Failure> {
    let numbers = match &options.suite[..] {
        [] => suites().iter().map(|(number, _)| *number).collect(),
        given => given.to_vec(),
    };
    let mut tables = String::new();
    for (at, number) in numbers.iter().enumerate() {
        let suite = CipherSuite(*number);
        let Some((provider, name)) = provider(suite).zip(suite.name()) else {
            let what = format!("--suite: cipher suite {number} is not built");
            return Err(Failure::input_with_help(what, "see `arboretum list suites`"));
        };
        if numbers[..at].contains(number) {
            return Err(Failure::input(format!("--suite: {number} is given twice")));
        }
        if !options.quiet {
            eprintln!("arboretum: measuring suite {number}, {name}");
        }
        let failed = |error: CryptoError| Failure::run(format!("suite {number}: {error}"));
        let costs = measure_suite(provider).map_err(failed)?;
        tables += &table(*number, name, &costs);
        warn_of_noise(*number, &costs);
    }
    let text = head(&options.name) + &tables;
    // What is written can be read: names, and costs above nothing.
    Profile::parse("the profile measured", &text).map_err(|error| Failure::Run {
        what: error.to_string(),
        help: Some("something else keeps this machine busy: calibrate when it is quiet".into()),
    })?;
    match &options.output {
        None => print!("{text}"),
        Some(path) => {
            write_whole(path, &text).map_err(|error| Failure::input(error.to_string()))?;
            if !options.quiet {
                eprintln!("arboretum: {}", path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn warn_of_noise(suite: u16, costs: &[(&str, Measured)]) {
    let wide = costs.iter().filter(|(_, measured)| measured.relative_spread() > WIDE);
    let wide: Vec<_> = wide.map(|(name, _)| *name).collect();
    if !wide.is_empty() {
        eprintln!(
            "arboretum: suite {suite}: batches lie more than {:.0} % apart for {}: something else keeps this machine busy",
            WIDE * 100.0,
            wide.join(", ")
        );
    }
}

fn head(name: &str) -> String {
    let machine = host::machine();
    let quoted = |text: &str| toml_text(text);
    format!(
        "# Microseconds of one core: the median of {BATCHES} batches of {} ms or more; beside it how far the middle\n\
         # half of the batches lies apart. Written by `arboretum calibrate`.\n\n\
         name = {}\ntitle = {}\nsource = {}\n",
        BATCH_S * 1e3,
        quoted(name),
        quoted(&format!("{}, one core", machine.cpu)),
        quoted(&format!(
            "arboretum calibrate, version {}, on {} ({} processors, {} MiB), {} s after 1970-01-01",
            env!("CARGO_PKG_VERSION"),
            machine.cpu,
            machine.cores,
            machine.memory_mib,
            host::unix_time()
        )),
    )
}

/// A text as TOML has it: control characters, of which a processor's name should have none, are left out.
fn toml_text(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

fn table(number: u16, name: &str, costs: &[(&str, Measured)]) -> String {
    let mut text = format!("\n[[suite]]   # {name}\nnumber = {number}\n");
    for (name, measured) in costs {
        let digits = if *name == "hash_byte" { 6 } else { 3 };
        let percent = measured.relative_spread() * 100.0;
        text += &format!("{name} = {:.digits$}   # ± {percent:.0} %\n", measured.micros);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_for_the_batches() {
        let measured = Measured::of(vec![5.0, 1.0, 100.0, 3.0, 4.0]);
        assert_eq!((measured.micros, measured.spread), (4.0, 2.0));
        let rest = measured.without(Measured { micros: 1.0, spread: 0.5 });
        assert_eq!((rest.micros, rest.spread), (3.0, 2.5));
    }

    #[test]
    fn every_operation_of_the_ledger_has_a_cost_and_a_byte_has() {
        let with = provider(CipherSuite::X25519_AES128GCM_SHA256_ED25519).unwrap();
        let costs = measure_suite(with).unwrap();
        let cost = |name: &str| costs.iter().find(|(known, _)| *known == name).unwrap().1.micros;
        for op in Op::ALL {
            assert!(cost(op.name()) > 0.0, "{}", op.name());
        }
        assert_eq!(costs.len(), Op::ALL.len() + 1);
        assert!(cost("hash_byte") < cost("hash"));
        assert!(cost("kem_encapsulate") > cost("aead_seal"));
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(toml_text("a \"b\"\\\n"), "\"a \\\"b\\\"\\\\\"");
    }
}
