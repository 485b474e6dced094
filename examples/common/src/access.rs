use std::time::Duration;

use sse_core::{AccessDenied, Lease, Pattern, Permit, Topic};

/// How long a tenant may read before it is asked again who it is.
const LEASE: Duration = Duration::from_secs(60 * 60);

/// How many streams each tenant may have.
const STREAMS: usize = 10;

/// What a tenant may do: read and publish below `tenant.NAME`, and read the metrics.
///
/// A real application knows from a session who asks; here they say so themselves.
///
/// # Errors
/// If the request does not name a tenant, or the name is too long for a topic.
pub fn permit(tenant: Option<&str>) -> Result<Permit, AccessDenied> {
    let tenant = tenant.ok_or(AccessDenied::Unauthorized)?.to_owned();
    let own = Pattern::below(&Topic::from_parts(["tenant", &tenant])?)?;
    let permit = Permit::read([&own, &Pattern::new("metrics.*")?])?.publish(own)?;
    Ok(permit.with(move |subscribe| {
        let limit = format!("tenant {tenant}");
        subscribe.lease(Lease::within(LEASE)).limit(limit, STREAMS).principal(tenant)
    }))
}
