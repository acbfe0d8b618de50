//! Which spans there are, how many wait, and how much is in one.

use super::variables::{OtelFault, Variables, fault};

/// What the variables say of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct OtelSpans {
    /// Whether `OTEL_TRACES_SAMPLER` says what is sampled. The SDK reads it.
    pub samples: bool,
    /// Whether trace context is read and sent on (`OTEL_PROPAGATORS`).
    pub propagates: bool,
    /// Most spans that wait for the exporter (`OTEL_BSP_MAX_QUEUE_SIZE`).
    pub max_queue: Option<usize>,
    /// Most characters of an attribute's text (`OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`).
    pub max_text: Option<usize>,
    /// Most attributes of a span, an event and a link; the SDK reads the other limits.
    pub max_attributes: [Option<u32>; 3],
}

const SAMPLERS: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl OtelSpans {
    pub(super) fn read(read: &Variables<'_>) -> Result<Self, OtelFault> {
        // The SDK reads these.
        read.millis("OTEL_BSP_SCHEDULE_DELAY")?;
        read.spans("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")?;
        for name in ["ATTRIBUTE", "EVENT", "LINK"] {
            read.number::<u32>(&format!("OTEL_SPAN_{name}_COUNT_LIMIT"))?;
        }
        let general = read.number("OTEL_ATTRIBUTE_COUNT_LIMIT")?;
        let limit = |name: &str| Ok(read.number(name)?.or(general));
        Ok(Self {
            samples: samples(read)?,
            propagates: propagates(read)?,
            max_queue: read.spans("OTEL_BSP_MAX_QUEUE_SIZE")?,
            max_text: read
                .number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")?
                .or(read.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")?),
            max_attributes: [
                limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")?,
                limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")?,
                limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")?,
            ],
        })
    }
}

fn samples(read: &Variables<'_>) -> Result<bool, OtelFault> {
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    let advice = "must be always_on, always_off, traceidratio, or one of these after parentbased_";
    let Some(sampler) = read.one_of("OTEL_TRACES_SAMPLER", SAMPLERS, advice)? else {
        return Ok(false);
    };
    let argument = read.text(ARGUMENT).map(|value| value.parse::<f64>());
    let is_ratio = |ratio: f64| (0.0..=1.0).contains(&ratio);
    match argument {
        _ if !sampler.ends_with("traceidratio") => Ok(true),
        None => Ok(true),
        Some(Ok(ratio)) if is_ratio(ratio) => Ok(true),
        Some(_) => Err(fault(ARGUMENT, "must be a number from 0 to 1")),
    }
}

/// `baggage` is taken, and has no effect: none is read, and none is sent on.
fn propagates(read: &Variables<'_>) -> Result<bool, OtelFault> {
    let known = [("tracecontext", true), ("baggage", false)];
    let advice = "must list tracecontext and baggage, or be none";
    let listed = read.list("OTEL_PROPAGATORS", &known, advice)?;
    Ok(listed.is_none_or(|listed| listed.contains(&true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;

    fn read(variables: &[(&str, &str)]) -> Result<OtelSpans, String> {
        let set = |all: Fixed, (name, value): &(&str, &str)| all.variable(name, value);
        let environment = variables.iter().fold(Fixed::default(), set);
        OtelSpans::read(&Variables(&environment)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_limits_of_spans_win_over_those_of_everything() {
        let read = read(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "9"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7"),
            ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8"),
        ])
        .unwrap();
        assert_eq!(read.max_attributes, [Some(9), Some(3), Some(9)]);
        assert_eq!(read.max_text, Some(8));
    }

    #[test]
    fn context_is_sent_on_unless_the_propagators_are_others() {
        for (value, propagates) in [
            ("", true),
            ("baggage, tracecontext", true),
            ("baggage", false),
            ("none", false),
        ] {
            let read = read(&[("OTEL_PROPAGATORS", value)]).unwrap();
            assert_eq!(read.propagates, propagates, "{value}");
        }
    }

    #[test]
    fn the_samplers_argument_is_a_share_where_it_takes_one() {
        let told = |sampler, argument| {
            read(&[
                ("OTEL_TRACES_SAMPLER", sampler),
                ("OTEL_TRACES_SAMPLER_ARG", argument),
            ])
            .map(|read| read.samples)
        };
        assert_eq!(told("always_on", "1.5"), Ok(true));
        assert_eq!(told("traceidratio", "0.5"), Ok(true));
        let fault = told("parentbased_traceidratio", "1.5").unwrap_err();
        assert!(fault.contains("_ARG must be"), "{fault}");
    }
}
