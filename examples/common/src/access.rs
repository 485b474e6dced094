use std::time::Duration;

use sse_core::{Denied, Lease, Permit};

/// How long a tenant may read before it is asked again who it is.
const LEASE: Duration = Duration::from_secs(60 * 60);

/// How many streams each tenant may have.
const STREAMS: usize = 10;

/// What a tenant may do: read and publish below `tenant.NAME`, and read the metrics.
///
/// A real application knows from a session who asks; here they say so themselves.
///
/// # Errors
/// If nobody says who they are, or the name cannot be part of a topic.
pub fn permit(tenant: Option<&str>) -> Result<Permit, Denied> {
    let tenant = tenant.ok_or(Denied::Unauthorized)?.to_owned();
    let own = format!("tenant.{tenant}.>");
    let permit = Permit::read([&*own, "metrics.*"])?.publish(own)?;
    Ok(permit.with(move |subscribe| {
        let limit = format!("tenant {tenant}");
        subscribe.lease(Lease::within(LEASE)).limit(limit, STREAMS).principal(tenant)
    }))
}
