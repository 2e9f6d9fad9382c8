//! The settings file of an installation.

use std::net::SocketAddr;

use bookgate::standin::calcom::StandIn;
use bookgate::standin::calendly;

use super::{Setup, Store};
use crate::rig::postgres::Postgres;

pub(super) fn text(
    setup: &Setup,
    cal: &StandIn,
    calendly: Option<&calendly::StandIn>,
    public: SocketAddr,
) -> String {
    let url = match setup.store {
        Store::File => "sqlite://bookgate.db".to_owned(),
        Store::Server => {
            let server = Postgres::shared().expect("asked before");
            server.url(&server.create_database())
        }
        Store::At(url) => url.to_owned(),
    };
    let calendly_ms = setup.calendly.as_ref().map_or(0, |it| it.reconcile_ms);
    let mut text = format!(
        r#"
[storage]
url = "{url}"
tls = "disable"
{storage}
[policies]
{policies}
[server]
listen = "127.0.0.1:1"
admin_listen = "127.0.0.1:2"
{server}
[admin]
failed_log_in_delay_ms = 1
{admin}
[admin.tokens.ops]
role = "admin"
secret = "env:ADMIN"
[admin.tokens.looker]
role = "read"
secret = "env:READ"
[admin.tokens.till]
role = "credits"
secret = "env:CREDITS"
[worker]
{worker}
[reconcile]
interval_ms = {reconcile_ms}
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:SECRET"]
{source}
[sources.calcom.api]
base_url = "{base}"
dialect = "{dialect}"
key = "env:KEY"
requests_per_minute = {requests_per_minute}
connect_timeout_ms = {call_timeout_ms}
call_timeout_ms = {call_timeout_ms}
"#,
        server = setup.server,
        storage = setup.storage,
        admin = setup.admin,
        policies = setup.policies_section,
        worker = setup.worker,
        reconcile_ms = setup.reconcile_ms.max(calendly_ms),
        source = setup.source,
        base = cal.base_url(),
        dialect = setup.dialect,
        requests_per_minute = setup.requests_per_minute,
        call_timeout_ms = setup.call_timeout_ms,
    );
    text.push_str(&setup.more);
    if let (Some(setup), Some(calendly)) = (&setup.calendly, calendly) {
        text.push_str(&setup.settings(calendly, public));
    }
    text
}
