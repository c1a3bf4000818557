package picket.authz_test

import data.picket.authz

# The bank's calls as `caller method path callee`: all that is allowed, and the neighbours of each that are not.
allowed_calls := {
	["/gateway", "GET", "/accounts/alice", "accounts"],
	["/gateway", "POST", "/payments", "payments"],
	["/payments", "GET", "/accounts/alice", "accounts"],
	["/payments", "POST", "/checks", "fraud"],
	["/payments", "POST", "/entries", "ledger"],
}

denied_calls := {
	["/gateway", "GET", "/entries", "ledger"],
	["/gateway", "POST", "/entries", "ledger"],
	["/gateway", "POST", "/checks", "fraud"],
	["/gateway", "DELETE", "/accounts/alice", "accounts"],
	["/gateway", "GET", "/accounts", "accounts"],
	["/gateway", "GET", "/accounts/", "accounts"],
	["/gateway", "GET", "/accounts/alice/", "accounts"],
	["/gateway", "GET", "/accounts/alice/limits", "accounts"],
	["/gateway", "get", "/accounts/alice", "accounts"],
	["/gateway", "GET", "/payments", "payments"],
	["/gateway", "POST", "/payments/1", "payments"],
	["/payments", "GET", "/entries", "ledger"],
	["/payments", "POST", "/payments", "payments"],
	["/payments", "POST", "/overrides", "fraud"],
	["/support-portal", "GET", "/entries", "ledger"],
	["/support-portal", "POST", "/entries", "ledger"],
	["/support-portal", "GET", "/accounts/alice", "accounts"],
	["/fraud", "GET", "/accounts/alice", "accounts"],
	["/ledger", "POST", "/payments", "payments"],
	["/elsewhere/gateway", "GET", "/accounts/alice", "accounts"],
	["/gateway/", "GET", "/accounts/alice", "accounts"],
	["", "GET", "/accounts/alice", "accounts"],
	["/gateway", "GET", "/accounts/alice", "gateway"],
	["/gateway", "GET", "/accounts/alice", "unheard-of"],
}

services := {"gateway", "accounts", "payments", "fraud", "ledger", "support-portal", "unheard-of"}

call(caller, method, path, callee) := {
	"caller": {
		"spiffe_id": concat("", ["spiffe://bank.test", caller]),
		"trust_domain": "bank.test",
		"path": caller,
	},
	"service": {"name": callee, "trust_domain": "bank.test"},
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": split(trim_prefix(path, "/"), "/"),
}

of_other_domain(input_) := object.union(input_, {"caller": {"trust_domain": "other.test"}})

decides(calls, expected) if {
	every c in calls {
		authz.allow == expected with input as call(c[0], c[1], c[2], c[3])
	}
}

test_allowed_calls if decides(allowed_calls, true)

test_denied_calls if decides(denied_calls, false)

test_same_calls_from_another_trust_domain if {
	every c in allowed_calls {
		not authz.allow with input as of_other_domain(call(c[0], c[1], c[2], c[3]))
	}
}

test_health_is_for_every_member if {
	every callee in services {
		authz.allow with input as call("/support-portal", "GET", "/health", callee)
	}
}

test_health_is_for_members_only if {
	not authz.allow with input as of_other_domain(call("/gateway", "GET", "/health", "ledger"))
	not authz.allow with input as object.union(call("/gateway", "GET", "/health", "ledger"), {"caller": null})
}

test_health_is_one_route if {
	not authz.allow with input as call("/support-portal", "POST", "/health", "ledger")
	not authz.allow with input as call("/support-portal", "GET", "/health/", "ledger")
	not authz.allow with input as call("/support-portal", "GET", "/health/entries", "ledger")
}

test_no_caller if not authz.allow with input as object.union(
	call("/gateway", "GET", "/accounts/alice", "accounts"),
	{"caller": null},
)

test_empty_input if not authz.allow with input as {}

test_no_roles if {
	not authz.allow with input as call("/gateway", "GET", "/accounts/alice", "accounts")
		with data.roles as {}
}

test_no_routes if {
	not authz.allow with input as call("/gateway", "GET", "/accounts/alice", "accounts")
		with data.routes as {}
}

test_one_role_of_several_is_enough if {
	authz.allow with input as call("/gateway", "GET", "/accounts/alice", "accounts")
		with data.roles as {"/gateway": ["nothing", "front-office"]}
}

test_overlapping_routes_add_up if {
	authz.allow with input as call("/audit", "GET", "/accounts/alice", "accounts")
		with data.roles as {"/audit": ["auditor"]}
		with data.routes as {"accounts": [
			{"method": "GET", "path": "/accounts/{id}", "roles": ["front-office"]},
			{"method": "GET", "path": "/accounts/alice", "roles": ["auditor"]},
		]}
}

test_parameters_take_one_segment if {
	authz.fits(["a", "{x}", "c"], ["a", "b", "c"])
	not authz.fits(["a", "{x}", "c"], ["a", "", "c"])
	not authz.fits(["a", "{x}", "c"], ["a", "b", "b", "c"])
	not authz.fits(["a", "{x}"], ["a"])
	not authz.fits(["a"], ["a", "b"])
	not authz.fits(["a", "b"], ["a", "c"])
}

test_reasons if {
	called := call("/gateway", "GET", "/entries", "ledger")
	authz.reason == "the caller has no SPIFFE ID" with input as object.union(called, {"caller": null})
	authz.reason == "the caller is of trust domain other.test, not of bank.test" with input as of_other_domain(called)
	authz.reason == "/gateway has none of the roles auditor" with input as called
	authz.reason == "ledger has no such route" with input as call("/gateway", "PUT", "/entries", "ledger")
	authz.reason == "no rule allows it" with input as {"caller": {"spiffe_id": "x", "trust_domain": "y"}, "service": {"trust_domain": "y"}}
}
