//! The promise of prompts and of completion: listed and given to whom they are for, with arguments that
//! fit, and values suggested only to whoever may call what they are of, and counted like its calls.

#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{
    CallContext, Content, Prompt, PromptMessage, PromptOutput, Quota, Resource, Rule, Suggestions,
    ToolError, Typing,
};

use wire::{Nothing, Reply, Wire};

#[derive(Deserialize, JsonSchema)]
struct Poem {
    /// What it is about.
    subject: String,
    /// How it sounds.
    mood: Option<Mood>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Glad,
    Gloomy,
    Sad,
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    id: String,
}

async fn poem(_: CallContext, poem: Poem) -> Result<PromptOutput, ToolError> {
    let mood = match poem.mood {
        Some(Mood::Glad) => "glad",
        Some(Mood::Gloomy) => "gloomy",
        Some(Mood::Sad) => "sad",
        None => "any",
    };
    let text = format!("A {mood} poem about {}", poem.subject);
    let picture = PromptMessage::assistant(Content::image(b"\0", "image/png"));
    Ok(PromptOutput::new([PromptMessage::user(text), picture]).description("A poem"))
}

async fn subjects(call: CallContext, typing: Typing) -> Result<Suggestions, ToolError> {
    match typing.value.as_str() {
        "break" => Err(ToolError::Failed("the secret cause".to_owned())),
        "panic" => panic!("at the secret place"),
        "many" => Ok(Suggestions::new((0..250).map(|number| number.to_string()))),
        "others" => Ok(Suggestions::new([json!(typing.others).to_string()])),
        typed => {
            let own = call.principal().subject().to_owned();
            Ok(Suggestions::beginning_with(
                typed,
                ["Sea", "sky", "Snow", own.as_str()],
            ))
        }
    }
}

fn set_up(server: ServerBuilder) -> ServerBuilder {
    let counted = Prompt::new("counted", "Twice a minute.");
    let closed = Prompt::new("closed", "Closed to everybody.").any_authenticated();
    let notes = Resource::new("notes://{id}", "note").scope("notes");
    server
        .denial_limit(None)
        .prompt(
            Prompt::new("poem", "Asks for a poem.")
                .title("Poem")
                .scope("write")
                .complete("subject", subjects)
                .handler(poem),
        )
        .prompt(
            counted
                .any_authenticated()
                .quota(Quota::per(2, Duration::from_secs(60)))
                .complete("subject", subjects)
                .handler(poem),
        )
        .prompt(
            closed
                .rule(Rule::deny("caller.tenant == 'acme'"))
                .complete("subject", subjects)
                .handler(poem),
        )
        .prompt(
            Prompt::new("plain", "Without arguments.")
                .any_authenticated()
                .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("Hello".to_owned())),
        )
        .resource(
            notes
                .complete("id", async |_, typing: Typing| {
                    Ok(Suggestions::beginning_with(&typing.value, ["n1", "n2"]).of_total(7))
                })
                .handler(async |_: CallContext, id: Id| Ok::<_, ToolError>(id.id)),
        )
}

struct World {
    _server: TestServer,
    writer: Wire,
    stranger: Wire,
}

impl World {
    async fn start() -> Self {
        let server = TestServer::start(set_up).await;
        Self {
            writer: Wire::of(&server, &["write", "notes"]),
            stranger: Wire::of(&server, &[]),
            _server: server,
        }
    }
}

async fn in_both_eras(wire: &Wire, method: &str, params: &Value) -> [Reply; 2] {
    [
        wire.modern(method, params.clone()).send().await,
        wire.legacy(method, params.clone()).send().await,
    ]
}

fn names(reply: &Reply) -> Vec<&str> {
    let prompts = reply.body["result"]["prompts"].as_array().expect("a list");
    prompts
        .iter()
        .filter_map(|prompt| prompt["name"].as_str())
        .collect()
}

#[tokio::test]
async fn prompts_are_listed_with_their_arguments_to_those_who_may_get_them() {
    let world = World::start().await;
    for reply in in_both_eras(&world.writer, "prompts/list", &json!({})).await {
        assert_eq!(names(&reply), ["poem", "counted", "plain"]);
        let poem = &reply.body["result"]["prompts"][0];
        let arguments = json!([
            {"name": "subject", "description": "What it is about.", "required": true},
            {"name": "mood", "description": "How it sounds.", "required": false},
        ]);
        assert_eq!(
            (&poem["title"], &poem["arguments"]),
            (&json!("Poem"), &arguments)
        );
    }
    for reply in in_both_eras(&world.stranger, "prompts/list", &json!({})).await {
        assert_eq!(names(&reply), ["counted", "plain"]);
    }
}

#[tokio::test]
async fn a_prompt_is_given_with_its_arguments_filled_in() {
    let world = World::start().await;
    let params =
        json!({"name": "poem", "arguments": {"subject": "{{sea}}\n\u{1b}[0m", "mood": "sad"}});
    for reply in in_both_eras(&world.writer, "prompts/get", &params).await {
        let result = &reply.body["result"];
        assert_eq!(result["description"], "A poem", "{}", reply.text);
        let messages = json!([
            {"role": "user", "content": {"type": "text", "text": "A sad poem about {{sea}}\n\u{1b}[0m"}},
            {"role": "assistant", "content": {"type": "image", "data": "AA==", "mimeType": "image/png"}},
        ]);
        assert_eq!(result["messages"], messages);
    }
    for reply in in_both_eras(&world.stranger, "prompts/get", &json!({"name": "plain"})).await {
        let content = &reply.body["result"]["messages"][0]["content"];
        assert_eq!(
            content,
            &json!({"type": "text", "text": "Hello"}),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_and_names_that_are_none_are_refused_alike() {
    let world = World::start().await;
    for params in [
        json!({"name": "poem"}),
        json!({"name": "poem", "arguments": {}}),
        json!({"name": "poem", "arguments": {"subject": 7}}),
        json!({"name": "poem", "arguments": {"subject": "a", "mood": "angry"}}),
        json!({"name": "poem", "arguments": {"subject": "a", "tenant": "globex"}}),
        json!({"name": "poem", "arguments": {"Subject": "a"}}),
        json!({"name": "poem", "arguments": ["a"]}),
        json!({"name": "poem", "arguments": null}),
        json!({"name": "Poem", "arguments": {"subject": "a"}}),
        json!({"name": "poem\u{0}", "arguments": {"subject": "a"}}),
        json!({"name": "prompt/poem", "arguments": {"subject": "a"}}),
        json!({"name": ["poem"]}),
        json!({}),
    ] {
        let reply = world
            .writer
            .legacy("prompts/get", params.clone())
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(-32602)),
            "{params}"
        );
    }
    // A prompt is no tool, and what a rule closes is closed.
    let as_tool = json!({"name": "poem", "arguments": {"subject": "a"}});
    let reply = world.writer.modern("tools/call", as_tool).send().await;
    assert_eq!(reply.code(), Some(-32602));
    let closed = json!({"name": "closed", "arguments": {"subject": "a"}});
    for reply in in_both_eras(&world.writer, "prompts/get", &closed).await {
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(40302)),
            "{}",
            reply.text
        );
    }
}

fn typed(prompt: &str, argument: &str, value: &str) -> Value {
    json!({
        "ref": {"type": "ref/prompt", "name": prompt}, "argument": {"name": argument, "value": value},
    })
}

#[tokio::test]
async fn values_are_suggested_by_the_author_or_from_the_choices_of_the_schema() {
    let world = World::start().await;
    let note = |uri: &str| json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "id", "value": "N"}});
    for (params, values, total, more) in [
        (
            typed("poem", "subject", "s"),
            json!(["Sea", "sky", "Snow"]),
            3,
            false,
        ),
        (typed("poem", "subject", "A"), json!(["ada"]), 1, false),
        (typed("poem", "subject", "x"), json!([]), 0, false),
        (typed("plain", "nothing", "x"), json!(null), 0, false),
        (note("notes://{id}"), json!(["n1", "n2"]), 7, true),
        (note("notes://1"), json!(["n1", "n2"]), 7, true),
    ] {
        for reply in in_both_eras(&world.writer, "completion/complete", &params).await {
            if values.is_null() {
                assert_eq!(
                    (reply.status, reply.code()),
                    (200, Some(-32602)),
                    "{}",
                    reply.text
                );
                continue;
            }
            let expected = json!({"values": values, "total": total, "hasMore": more});
            assert_eq!(
                reply.body["result"]["completion"], expected,
                "{}",
                reply.text
            );
        }
    }
    let many = world
        .writer
        .modern("completion/complete", typed("poem", "subject", "many"));
    let many = many.send().await;
    let completion = &many.body["result"]["completion"];
    assert_eq!(completion["values"].as_array().map(Vec::len), Some(100));
    assert_eq!(
        (&completion["total"], &completion["hasMore"]),
        (&json!(250), &json!(true))
    );
    let mut with_others = typed("poem", "subject", "others");
    with_others["context"] = json!({"arguments": {"mood": "sad"}});
    let reply = world
        .writer
        .modern("completion/complete", with_others)
        .send()
        .await;
    assert_eq!(
        reply.body["result"]["completion"]["values"],
        json!([r#"{"mood":"sad"}"#])
    );
}

#[tokio::test]
async fn suggestions_are_for_those_who_may_call_it_and_count_like_its_calls() {
    let world = World::start().await;
    for reply in in_both_eras(
        &world.stranger,
        "completion/complete",
        &typed("poem", "subject", "s"),
    )
    .await
    {
        assert_eq!(
            (reply.status, reply.code()),
            (403, Some(40301)),
            "{}",
            reply.text
        );
        assert!(!reply.text.contains("Sea"));
    }
    let closed = typed("closed", "subject", "s");
    for reply in in_both_eras(&world.writer, "completion/complete", &closed).await {
        assert_eq!(reply.code(), Some(40302), "{}", reply.text);
    }
    // What there is not is refused like an argument that there is not.
    for params in [
        typed("nothing", "subject", "s"),
        typed("plain", "subject", "s"),
        typed("Poem", "subject", "s"),
    ] {
        for reply in in_both_eras(&world.stranger, "completion/complete", &params).await {
            assert_eq!(
                (reply.status, reply.code()),
                (200, Some(-32602)),
                "{params}"
            );
        }
    }
    let counted = typed("counted", "subject", "s");
    for reply in in_both_eras(&world.stranger, "completion/complete", &counted).await {
        assert_eq!(reply.code(), None, "{}", reply.text);
    }
    let get = json!({"name": "counted", "arguments": {"subject": "a"}});
    let reply = world.stranger.modern("prompts/get", get).send().await;
    assert_eq!(
        (reply.status, reply.code()),
        (200, Some(42901)),
        "{}",
        reply.text
    );
    assert!(reply.header("retry-after").is_some());
}

#[tokio::test]
async fn a_completion_that_fails_or_panics_tells_nothing_of_why() {
    let world = World::start().await;
    for value in ["break", "panic"] {
        for reply in in_both_eras(
            &world.writer,
            "completion/complete",
            &typed("poem", "subject", value),
        )
        .await
        {
            assert!(reply.code().is_some(), "{}", reply.text);
            assert!(!reply.text.contains("secret"), "{}", reply.text);
        }
    }
    world
        .stranger
        .modern("prompts/get", json!({"name": "plain"}))
        .send()
        .await;
}

#[tokio::test]
async fn what_is_no_request_for_a_completion_is_refused() {
    let world = World::start().await;
    let (reference, argument) = (
        json!({"type": "ref/prompt", "name": "poem"}),
        json!({"name": "subject", "value": "s"}),
    );
    for params in [
        json!({}),
        json!({"ref": reference}),
        json!({"argument": argument}),
        json!({"ref": ["ref/prompt", "poem"], "argument": argument}),
        json!({"ref": reference, "argument": ["subject", "s"]}),
        json!({"ref": {"type": "ref/tool", "name": "poem"}, "argument": argument}),
        json!({"ref": {"type": "ref/prompt"}, "argument": argument}),
        json!({"ref": {"type": "ref/prompt", "uri": "poem"}, "argument": argument}),
        json!({"ref": {"type": "ref/resource", "name": "notes://{id}"}, "argument": argument}),
        json!({"ref": reference, "argument": {"name": "subject"}}),
        json!({"ref": reference, "argument": {"name": "subject", "value": 7}}),
        json!({"ref": reference, "argument": {"name": null, "value": "s"}}),
        json!({"ref": reference, "argument": argument, "context": null}),
        json!({"ref": reference, "argument": argument, "context": {"arguments": ["mood"]}}),
    ] {
        for reply in in_both_eras(&world.writer, "completion/complete", &params).await {
            assert_eq!(
                (reply.status, reply.code()),
                (200, Some(-32602)),
                "{params}"
            );
        }
    }
    let list = json!([reference, argument]);
    let reply = world
        .writer
        .legacy("completion/complete", list)
        .send()
        .await;
    assert_eq!(
        (reply.status, reply.code()),
        (200, Some(-32602)),
        "{}",
        reply.text
    );
}
