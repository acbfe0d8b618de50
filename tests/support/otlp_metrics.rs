//! A collector of metrics (OTLP over HTTP) on a free port, which takes what it is sent or refuses it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, ResourceMetrics, metric::Data, number_data_point::Value as Number,
};
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running collector; it ends with the test's runtime.
pub(crate) struct Collector {
    pub(crate) url: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    refuses: AtomicBool,
    asked: watch::Sender<usize>,
    taken: watch::Sender<Vec<Export>>,
}

/// What one request told: each point as a name, its labels and a number; of a histogram the count.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) points: Vec<(String, BTreeMap<String, String>, f64)>,
    /// 1 is delta, 2 cumulative (opentelemetry-proto, `AggregationTemporality`), of all sums.
    pub(crate) temporalities: Vec<i32>,
    pub(crate) headers: HeaderMap,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let router = Router::new()
            .route("/v1/metrics", post(take))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// Answers 400 from now on, which nobody tries again, or takes what comes.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.seen.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Waits until this was asked once more.
    pub(crate) async fn asked_again(&self) {
        let mut asked = self.seen.asked.subscribe();
        let before = *asked.borrow();
        let more = asked.wait_for(|now| *now > before);
        timeout(PATIENCE, more)
            .await
            .expect("in time")
            .expect("it runs");
    }

    /// Waits for an export with `find` in it.
    pub(crate) async fn wait_for<T>(&self, mut find: impl FnMut(&Export) -> Option<T>) -> T {
        let mut taken = self.seen.taken.subscribe();
        let mut found = None;
        let more = taken.wait_for(|all| {
            found = all.iter().rev().find_map(&mut find);
            found.is_some()
        });
        timeout(PATIENCE, more)
            .await
            .expect("in time")
            .expect("it runs");
        found.expect("it was found")
    }

    /// Everything that was taken.
    pub(crate) fn taken(&self) -> Vec<Export> {
        self.seen.taken.borrow().clone()
    }
}

impl Export {
    /// The sum of `name` over all points with these labels among theirs; `None` without any.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |all: &BTreeMap<String, String>| {
            let mut labels = labels.iter();
            labels.all(|(label, value)| all.get(*label).map(String::as_str) == Some(*value))
        };
        let points = self.points.iter();
        let values = points.filter(|(point, all, _)| point == name && has(all));
        values
            .map(|(_, _, value)| *value)
            .reduce(|sum, value| sum + value)
    }
}

async fn take(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    seen.asked.send_modify(|asked| *asked += 1);
    if seen.refuses.load(Ordering::SeqCst) {
        return StatusCode::BAD_REQUEST;
    }
    let request = ExportMetricsServiceRequest::decode(body).expect("an export");
    seen.taken.send_modify(|taken| {
        let exports = request.resource_metrics.into_iter();
        taken.extend(exports.map(|metrics| export(metrics, headers.clone())));
    });
    StatusCode::OK
}

fn export(metrics: ResourceMetrics, headers: HeaderMap) -> Export {
    let resource = metrics.resource.expect("a resource");
    let mut export = Export {
        resource: labels(&resource.attributes),
        points: Vec::new(),
        temporalities: Vec::new(),
        headers,
    };
    for scope in metrics.scope_metrics {
        for metric in scope.metrics {
            read(&metric, &mut export);
        }
    }
    export
}

fn read(metric: &Metric, export: &mut Export) {
    let number = |number: &Option<Number>| match number {
        Some(Number::AsDouble(number)) => *number,
        Some(Number::AsInt(number)) => *number as f64,
        None => panic!("a point without a number: {metric:?}"),
    };
    let (points, temporality) = match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => (&gauge.data_points, None),
        Data::Sum(sum) => (&sum.data_points, Some(sum.aggregation_temporality)),
        Data::Histogram(histogram) => {
            for point in &histogram.data_points {
                let name = metric.name.clone();
                let point = (name, labels(&point.attributes), point.count as f64);
                export.points.push(point);
            }
            return;
        }
        other => panic!("an instrument that nobody made: {other:?}"),
    };
    export.temporalities.extend(temporality);
    for point in points {
        let (name, value) = (metric.name.clone(), number(&point.value));
        export.points.push((name, labels(&point.attributes), value));
    }
}

fn labels(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute
            .value
            .as_ref()
            .and_then(|value| value.value.clone());
        match value {
            Some(Value::StringValue(text)) => text,
            other => format!("{other:?}"),
        }
    };
    let pairs = attributes.iter().map(|pair| (pair.key.clone(), text(pair)));
    pairs.collect()
}
