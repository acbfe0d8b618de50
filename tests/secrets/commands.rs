//! The other commands, and stdio: the secrets of the configuration show in none of them.

use serde_json::{Value, json};
use std::io::Write;

use crate::binary::{Finished, Process, finish};
use crate::canary::{Canary, Outputs};
use crate::world::World;

const LEVELS: [Option<&str>; 2] = [None, Some("trace")];

fn keep(outputs: &mut Outputs, name: &str, finished: &Finished) {
    outputs.add(format!("stdout of {name}"), finished.stdout.clone());
    outputs.add(format!("stderr of {name}"), finished.stderr.clone());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_command() {
    let world = World::new().await;
    let config = ["--config", "tollgate.yaml"];
    let token = [
        &["token", "--tenant", "acme", "--subject", "ci"][..],
        &config,
    ]
    .concat();
    let apikey = "apikey new --tenant acme --subject ci --expires never --id new --file keys.yaml";
    let apikey: Vec<&str> = apikey.split(' ').collect();
    let argument = format!("text={}", world.text("argument"));
    let call = [&["call", "broken", &argument][..], &config].concat();
    for level in LEVELS {
        let run = |arguments: &[&str]| finish(world.command(arguments, level));
        let mut outputs = Outputs::default();
        let checked = run(&[&["check"][..], &config].concat());
        assert_eq!(checked.code, Some(0), "{checked:?}");
        keep(&mut outputs, "check", &checked);
        keep(&mut outputs, "schema", &run(&["schema"]));
        outputs.mention("stdout of check", "notes");
        outputs.mention("stdout of schema", "clientSecret");

        // Their answers are a secret; what else they say is not.
        let minted = run(&token);
        assert_eq!(minted.code, Some(0), "{minted:?}");
        outputs.add("stderr of token", minted.stderr);
        let made = run(&apikey);
        outputs.add("stderr of apikey", made.stderr.clone());
        let mut canaries = world.canaries();
        if made.code == Some(0) {
            canaries.push(Canary::of(
                "a new key",
                &made.stdout.trim()["tgk_new_".len()..],
            ));
            let again = run(&apikey);
            assert_eq!(again.code, Some(1), "{again:?}");
            keep(&mut outputs, "apikey, again", &again);
        }

        let called = run(&call);
        assert_eq!(called.code, Some(1), "{called:?}");
        keep(&mut outputs, "call", &called);
        let mut command = world.command(&call, level);
        command.env("TOLLGATE_TOKEN", world.text("unknown opaque token"));
        keep(&mut outputs, "call with a token", &finish(command));
        let mut command = world.command(&["call", "--help"], level);
        command.env("TOLLGATE_TOKEN", &world.token);
        keep(&mut outputs, "help", &finish(command));
        let elsewhere = format!("http://me:{}@127.0.0.1:1", world.text("Basic credentials"));
        let remote = run(&[
            "call",
            "notes",
            "--url",
            &elsewhere,
            "--token",
            &world.token,
        ]);
        assert_eq!(remote.code, Some(2), "{remote:?}");
        keep(&mut outputs, "call elsewhere", &remote);
        let mut command = world.command(&["check"], level);
        let endpoint = format!("http://me:{}@a b", world.text("OTLP endpoint"));
        let refused = finish({
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
            command
        });
        assert_eq!(refused.code, Some(1), "{refused:?}");
        keep(&mut outputs, "check of a bad endpoint", &refused);
        outputs.mention(
            "stderr of check of a bad endpoint",
            "variable OTEL_EXPORTER_OTLP_ENDPOINT",
        );
        outputs.hold_none_of(&canaries);
        std::fs::remove_file(world.path().join("keys.yaml")).expect("a file of keys");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_stdio() {
    let world = World::new().await;
    for level in LEVELS {
        let command = world.command(&["serve", "--mode", "stdio"], level);
        let mut process = Process::start(command);
        let text = world.text("argument");
        let call = |tool: &str, arguments: Value| {
            let params = json!({"name": tool, "arguments": arguments});
            json!({"jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": params})
        };
        let mut input = process.input.take().expect("still open");
        for message in [
            call("notes", json!({"text": "x"})),
            call("notes", json!({"text": format!("refuse {text}")})),
            call("notes", json!({"text": format!("fail {text}")})),
            call("broken", json!({"text": text})),
            call("unknown", json!({"text": text})),
        ] {
            writeln!(input, "{message}").expect("it reads");
        }
        writeln!(input, "{{\"text\": \"{text}").expect("it reads");
        drop(input);
        assert_eq!(process.exit_code(), Some(0));
        let mut outputs = Outputs::default();
        outputs.add("stdout", process.stdout.all().join("\n"));
        outputs.add("stderr", process.stderr.all().join("\n"));
        outputs.mention("stdout", "ours");
        outputs.mention("stderr", "tools/call notes");
        outputs.hold_none_of(&world.canaries());
    }
}
