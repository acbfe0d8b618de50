//! What it costs to know a caller, in process: a token seen before, and a new one per algorithm.
//!
//! `cargo bench --bench auth`. A new token is measured on an authenticator that has its keys and has
//! not seen the token; making one is not part of the time.

#[path = "../tests/support/signers.rs"]
#[expect(dead_code, reason = "tests use the rest")]
mod signers;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tollgate::Clock;
use tollgate::auth::{
    Algorithm, Authenticator, ClaimNames, Credentials, Issuer, KeySource, KeyTimes, MintRequest,
    ScopeInclusion, SecretString, mint, random_secret,
};

use signers::Signer;

const NAME: &str = "https://bench.example.com/";
const AUDIENCE: &str = "bench";

fn claims(id: &str) -> Value {
    let exp = Clock::system().unix().as_secs() + 3_600;
    json!({
        "iss": NAME, "aud": AUDIENCE, "exp": exp, "jti": id,
        "sub": "bench", "tenant": "acme", "scopes": ["customer:read", "orders:search"],
    })
}

async fn authenticate(authenticator: &Authenticator, token: &str) {
    let credentials = Credentials::Bearer(token);
    let known = authenticator.authenticate(&credentials).await;
    black_box(known.expect("a good token"));
}

/// Measures `fresh` against authenticators that know `warm` and nothing else, then again and again.
fn measure(
    c: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    [warm, fresh]: [&str; 2],
    issuer: impl Fn() -> Issuer,
) {
    let ready = || {
        let claims = ClaimNames::default();
        let authenticator = Authenticator::new(
            vec![issuer()],
            claims,
            ScopeInclusion::default(),
            Clock::system(),
        );
        runtime.block_on(async {
            tokio::select! {
                () = authenticate(&authenticator, warm) => {}
                () = authenticator.keep_fresh() => {}
            }
        });
        authenticator
    };
    c.bench_function(&format!("{name}, new token"), |bencher| {
        let routine = |authenticator: &mut Authenticator| {
            runtime.block_on(authenticate(authenticator, fresh));
        };
        bencher.iter_batched_ref(ready, routine, BatchSize::PerIteration);
    });
    let authenticator = ready();
    c.bench_function(&format!("{name}, cached token"), |bencher| {
        bencher.iter(|| runtime.block_on(authenticate(&authenticator, warm)));
    });
}

fn shared_secret(c: &mut Criterion, runtime: &Runtime) {
    let secret: SecretString = random_secret().expect("random bytes");
    let token = |subject: &str| {
        let scopes = ["customer:read", "orders:search"].map(str::to_owned);
        let request = MintRequest {
            issuer: NAME,
            audience: AUDIENCE,
            subject,
            tenant: "acme",
            scopes: &scopes,
            now: Clock::system().unix(),
            lifetime: Duration::from_secs(3_600),
            claims: &ClaimNames::default(),
        };
        mint(&request, &secret, Algorithm::HS256).expect("a token")
    };
    let issuer = || Issuer::hs256(NAME, [AUDIENCE], &secret).expect("an issuer");
    let (warm, fresh) = (token("warm"), token("bench"));
    measure(c, runtime, "HS256", [&warm, &fresh], issuer);
}

fn public_keys(c: &mut Criterion, runtime: &Runtime) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    for (algorithm, signer) in [
        ("RS256", Signer::rsa("1")),
        ("PS256", Signer::rsa("1")),
        ("ES256", Signer::p256("1")),
        ("ES384", Signer::p384("1")),
        ("EdDSA", Signer::ed25519("1")),
    ] {
        let set = json!({"keys": [signer.jwk()]}).to_string();
        std::fs::write(&path, set).expect("written");
        let issuer = || {
            let source = KeySource::File(path.clone());
            Issuer::with_keys(NAME, [AUDIENCE], &source, KeyTimes::default())
                .and_then(|issuer| issuer.with_algorithms([algorithm.parse().expect("known")]))
                .expect("an issuer")
        };
        let [warm, fresh] = ["warm", "fresh"].map(|id| signer.token(algorithm, &claims(id)));
        measure(c, runtime, algorithm, [&warm, &fresh], issuer);
    }
}

fn tokens(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    shared_secret(c, &runtime);
    public_keys(c, &runtime);
}

criterion_group!(benches, tokens);
criterion_main!(benches);
