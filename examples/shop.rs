//! The demo shop of `tollgate serve --dev`, written in Rust: typed functions instead of SQL in YAML.
//!
//! ```text
//! cargo run --example shop
//! curl -s http://127.0.0.1:8080/mint-demo-jwt
//! ```
//!
//! What a caller may do is said by policy values beside each tool; what data it sees depends on the
//! tenant in its token, which the tool reads from the call, never from the arguments.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate::server::Server;
use tollgate::{CallContext, Quota, Resource, Tool, ToolError};

#[derive(Clone, Serialize, JsonSchema)]
struct Customer {
    id: String,
    name: String,
    tier: Tier,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Bronze,
    Gold,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Order {
    order_id: String,
    status: String,
}

/// The shop's data, per tenant.
#[derive(Default)]
struct Shop {
    customers: BTreeMap<(&'static str, &'static str), Customer>,
    orders: Vec<(&'static str, Order)>,
}

#[derive(Deserialize, JsonSchema)]
struct GetCustomer {
    /// Customer id, such as c-42
    #[schemars(regex(pattern = "^c-[a-z0-9]+$"))]
    customer_id: String,
}

async fn get_customer(
    shop: Arc<Shop>,
    call: CallContext,
    args: GetCustomer,
) -> Result<Customer, ToolError> {
    let tenant = call.principal().tenant();
    let found = shop.customers.get(&(tenant, args.customer_id.as_str()));
    found
        .cloned()
        .ok_or_else(|| ToolError::not_found("not found"))
}

#[derive(Deserialize, JsonSchema)]
struct FindOrders {
    /// An order id, such as o-123
    #[schemars(length(min = 1, max = 100))]
    query: String,
}

async fn find_orders(
    shop: Arc<Shop>,
    call: CallContext,
    args: FindOrders,
) -> Result<Vec<Order>, ToolError> {
    let ours = shop
        .orders
        .iter()
        .filter(|(tenant, _)| *tenant == call.principal().tenant());
    Ok(ours
        .map(|(_, order)| order)
        .filter(|order| order.order_id == args.query)
        .cloned()
        .collect())
}

fn shop() -> Shop {
    let mut shop = Shop::default();
    for (tenant, id, name, tier) in [
        ("acme", "c-42", "Jane Doe", Tier::Gold),
        ("acme", "c-rl", "Rita Limmat", Tier::Bronze),
        ("globex", "c-42", "Hiro Tanaka", Tier::Bronze),
    ] {
        let customer = Customer {
            id: id.to_owned(),
            name: name.to_owned(),
            tier,
        };
        shop.customers.insert((tenant, id), customer);
    }
    for (tenant, order_id, status) in [("acme", "o-123", "shipped"), ("globex", "o-123", "open")] {
        let order = Order {
            order_id: order_id.to_owned(),
            status: status.to_owned(),
        };
        shop.orders.push((tenant, order));
    }
    shop
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 8080,
    };
    let shop = Arc::new(shop());
    let server = Server::builder()
        .tool(
            Tool::new("get_customer", "Return a customer's profile (read-only).")
                .scope("customer:read")
                .quota(Quota::per(5, Duration::from_secs(10)))
                .timeout(Duration::from_secs(2))
                .handler_with(Arc::clone(&shop), get_customer),
        )
        .tool(
            Tool::new("find_orders", "Find orders by order id (read-only).")
                .scope("orders:search")
                .quota(Quota::per(10, Duration::from_secs(10)))
                .timeout(Duration::from_secs(2))
                .handler_with(Arc::clone(&shop), find_orders),
        )
        .resource(
            Resource::new("customers://{customer_id}", "customer")
                .description("A customer's profile, as get_customer returns it.")
                .scope("customer:read")
                .quota(Quota::per(5, Duration::from_secs(10)))
                .handler_with(shop, get_customer),
        )
        .dev_mode()
        .build()?;
    let bound = server
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?;
    eprintln!("listening on http://{}", bound.local_addr());
    bound
        .serve(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await;
    Ok(())
}
