# METADATA
# title: Who may call what
# description: >-
#   Default deny. A caller of the service's own trust domain may use a route when it holds one of the roles that the
#   route asks for. data.roles gives roles to SPIFFE paths, data.routes lists each service's routes; see README.md.
package picket.authz

# METADATA
# entrypoint: true
default allow := false

allow if {
	same_trust_domain
	health_check
}

allow if {
	same_trust_domain
	some route in requested_routes
	some role in route.roles
	role in caller_roles
}

same_trust_domain if input.caller.trust_domain == input.service.trust_domain

health_check if {
	input.attributes.request.http.method == "GET"
	input.parsed_path == ["health"]
}

# The callee's routes that fit the request's method and path. Overlapping routes add up.
requested_routes contains route if {
	some route in data.routes[input.service.name]
	route.method == input.attributes.request.http.method
	fits(split(trim_prefix(route.path, "/"), "/"), input.parsed_path)
}

# Same number of segments, and each is the same or a {parameter}. A parameter takes any one segment but an empty one.
fits(pattern, segments) if {
	count(pattern) == count(segments)
	every i, segment in segments {
		fits_segment(pattern[i], segment)
	}
}

fits_segment(expected, segment) if expected == segment

fits_segment(expected, segment) if {
	startswith(expected, "{")
	segment != ""
}

# The whole path counts, not its last segment: another path that ends in /gateway is another workload.
caller_roles := data.roles[input.caller.path]

# METADATA
# description: Why a request is denied, for the access log. Never consulted for the decision itself.
# entrypoint: true
default reason := "no rule allows it"

reason := "the caller has no SPIFFE ID" if {
	not input.caller.spiffe_id
} else := concat("", ["the caller is of trust domain ", domain, ", not of ", input.service.trust_domain]) if {
	not same_trust_domain
	domain := input.caller.trust_domain
} else := concat("", [input.service.name, " has no such route"]) if {
	count(requested_routes) == 0
} else := concat("", [input.caller.path, " has none of the roles ", concat(", ", asked)]) if {
	asked := {role | some route in requested_routes; some role in route.roles}
}
