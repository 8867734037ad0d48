package endpoints

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Case is one request and what its answer must be. {name} in Path and Body is a
// variable: {api} the prefix of the API, {email} an address of this run's own,
// {missing} an id that no user has, {id} the user that the case "create" made.
type Case struct {
	// Name says what is checked, in a few words.
	Name string
	// Method, Path, Header and Body are the request. A header with an empty
	// value is not sent; see session.do for those that always are.
	Method, Path string
	Header       map[string]string
	Body         string
	// Want is what the answer must be.
	Want Want
	// Save keeps members of the answer as variables: variable to member.
	Save map[string]string
	// Optional makes the case skipped, with this reason, when the answer is 200
	// though another status is wanted.
	Optional string
	// Steps makes several requests in the place of the one.
	Steps func(context.Context, *session) (measured string, err error)
}

var (
	jsonBody = map[string]string{"Content-Type": "application/json"}
	formBody = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}

	statsMembers = map[string]string{
		"users": "number", "created_last_24h": "number", "database_size_bytes": "number", "uptime_seconds": "number",
		"started_at": "time", "version": "string", "go_version": "string",
	}
)

const faultsOff = "the lab runs without faults; LAB_FAULTS=true switches them on"

// problem wants an error document with that status.
func problem(status int, fields ...string) Want {
	return Want{Status: status, Type: typeProblem, Fields: fields}
}

// notAllowed wants a 405 that names the methods which are.
func notAllowed(allow ...string) Want {
	return Want{Status: http.StatusMethodNotAllowed, Type: typeProblem, Allow: allow}
}

// BackendCases are the cases for the backend, in order: its probes, the API and
// the description of the API.
func BackendCases() []Case {
	return append(slices.Concat(probeCases(), apiCases()), Case{
		Name: "the OpenAPI description", Method: "GET", Path: "/openapi.yaml",
		Want: Want{Status: 200, Type: "application/yaml", Body: []Predicate{contains("openapi: 3."), contains("/users/{id}:"), contains("/stats:")}},
	})
}

// FrontendCases are the cases for the frontend, in order: its probes, the API
// that it proxies, and its page and forms.
func FrontendCases() []Case { return slices.Concat(probeCases(), apiCases(), pageCases()) }

// probeCases are the health endpoints and what no service has.
func probeCases() []Case {
	probe := func(status string) Want {
		return Want{Status: 200, Type: typeJSON, Probe: true, Body: []Predicate{has("status", status)}}
	}
	wrongMethod := notAllowed("GET")
	wrongMethod.Probe = true
	return []Case{
		{Name: "health", Method: "GET", Path: "/health", Want: probe("ok")},
		{Name: "ready", Method: "GET", Path: "/ready", Want: probe("ready")},
		{Name: "health takes no POST", Method: "POST", Path: "/health", Want: wrongMethod},
		{Name: "a path that is not there", Method: "GET", Path: "/no/such/path", Want: problem(404)},
		{Name: "an API path that is not there", Method: "GET", Path: "{api}/user", Want: problem(404)},
	}
}

// apiCases are the users API, which both services have.
func apiCases() []Case {
	return slices.Concat(readCases(), createCases(), badCreateCases(), identityCases(), deleteCases())
}

func readCases() []Case {
	list := func(most int) Want {
		return Want{Status: 200, Type: typeJSON, Body: []Predicate{listOfUsers(most)}}
	}
	return []Case{
		{Name: "list users", Method: "GET", Path: "{api}/users", Want: list(50)},
		{Name: "list one user", Method: "GET", Path: "{api}/users?limit=1", Want: list(1)},
		{Name: "list the most users", Method: "GET", Path: "{api}/users?limit=200", Want: list(200)},
		{Name: "list with limit 0", Method: "GET", Path: "{api}/users?limit=0", Want: problem(400)},
		{Name: "list with limit 201", Method: "GET", Path: "{api}/users?limit=201", Want: problem(400)},
		{Name: "list with limit -1", Method: "GET", Path: "{api}/users?limit=-1", Want: problem(400)},
		{Name: "list with a limit that is no number", Method: "GET", Path: "{api}/users?limit=many", Want: problem(400)},
		{Name: "list with a cursor from nowhere", Method: "GET", Path: "{api}/users?cursor=bm93aGVyZQ", Want: problem(400)},
		{Name: "list with a cursor that is no text", Method: "GET", Path: "{api}/users?cursor=%00%ff", Want: problem(400)},
		{Name: "list takes no PUT", Method: "PUT", Path: "{api}/users", Want: notAllowed("GET", "POST")},
		{Name: "get a user who is not there", Method: "GET", Path: "{api}/users/{missing}", Want: problem(404)},
		{Name: "get with an id that is no number", Method: "GET", Path: "{api}/users/ada", Want: problem(400)},
		{Name: "get with id 0", Method: "GET", Path: "{api}/users/0", Want: problem(400)},
		{Name: "get with a negative id", Method: "GET", Path: "{api}/users/-1", Want: problem(400)},
		{Name: "get with an id beyond 64 bits", Method: "GET", Path: "{api}/users/9223372036854775808", Want: problem(400)},
		{Name: "get with an id with a NUL", Method: "GET", Path: "{api}/users/1%00", Want: problem(400)},
		{Name: "statistics", Method: "GET", Path: "{api}/stats", Want: Want{Status: 200, Type: typeJSON, Body: []Predicate{members(statsMembers)}}},
		{Name: "statistics take no POST", Method: "POST", Path: "{api}/stats", Want: notAllowed("GET")},
		{Name: "a query that fails", Method: "GET", Path: "{api}/users?limit=1", Header: map[string]string{"Baggage": "lab.fault=error"},
			Want: problem(500), Optional: faultsOff},
		{Name: "a fault that makes no sense is ignored", Method: "GET", Path: "{api}/users?limit=1",
			Header: map[string]string{"Baggage": "lab.fault=delay:soon"}, Want: list(1)},
	}
}

func createCases() []Case {
	user := []Predicate{members(userMembers), has("name", "Ada Lovelace"), has("email", "{email}")}
	return []Case{
		{Name: "create", Method: "POST", Path: "{api}/users", Header: jsonBody, Body: `{"name":"Ada Lovelace","email":"{email}"}`,
			Want: Want{Status: 201, Type: typeJSON, Header: map[string]string{"Location": "{api}/users/{answer.id}"}, Body: user},
			Save: map[string]string{"id": "id"}},
		{Name: "get the new user", Method: "GET", Path: "{api}/users/{id}",
			Want: Want{Status: 200, Type: typeJSON, Body: append(slices.Clone(user), has("id", "{id}"))}},
		{Name: "create with an e-mail that is taken", Method: "POST", Path: "{api}/users", Header: jsonBody,
			Body: `{"name":"Another","email":"{email}"}`, Want: problem(409)},
		{Name: "create with an e-mail that is taken, in capitals", Method: "POST", Path: "{api}/users", Header: jsonBody,
			Body: `{"name":"Another","email":"{EMAIL}"}`, Want: problem(409)},
		{Name: "a user takes no PATCH", Method: "PATCH", Path: "{api}/users/{id}", Header: jsonBody, Body: `{}`, Want: notAllowed("GET", "DELETE")},
		{Name: "pages hold every user once", Steps: checkPagination},
	}
}

// badCreateCases are bodies that must be refused.
func badCreateCases() []Case {
	var out []Case
	for _, c := range []struct {
		name, body string
		want       Want
	}{
		{"no body", "", problem(400)},
		{"a body that is not JSON", `{"name":`, problem(400)},
		{"a body that is a list", `[]`, problem(400)},
		{"an unknown field", `{"name":"A","email":"a@example.com","admin":true}`, problem(400)},
		{"a field of the wrong type", `{"name":7,"email":"a@example.com"}`, problem(400)},
		{"more after the JSON", `{"name":"A","email":"a@example.com"}{}`, problem(400)},
		{"a body that is not UTF-8", "{\"name\":\"\xff\",\"email\":\"a@example.com\"}", problem(400)},
		{"neither name nor e-mail", `{}`, problem(422, "email", "name")},
		{"a name of white space", `{"name":" \t","email":"a-{email}"}`, problem(422, "name")},
		{"a name of 101 characters", `{"name":"` + strings.Repeat("é", 101) + `","email":"a-{email}"}`, problem(422, "name")},
		{"a NUL in the name", `{"name":"A\u0000B","email":"a-{email}"}`, problem(422, "name")},
		{"an e-mail without an @", `{"name":"Ada","email":"ada at example.com"}`, problem(422, "email")},
		{"a body of 1 MB", `{"name":"` + strings.Repeat("a", 1<<20) + `","email":"a-{email}"}`, problem(413)},
	} {
		out = append(out, Case{Name: "create with " + c.name, Method: "POST", Path: "{api}/users", Header: jsonBody, Body: c.body, Want: c.want})
	}
	ada := `{"name":"Ada","email":"a-{email}"}`
	return append(out,
		Case{Name: "create with plain text", Method: "POST", Path: "{api}/users", Header: map[string]string{"Content-Type": "text/plain"}, Body: ada, Want: problem(415)},
		Case{Name: "create without a content type", Method: "POST", Path: "{api}/users", Body: ada, Want: problem(415)},
	)
}

// identityCases are about the ids of a request.
func identityCases() []Case {
	const anyID = `[\w-]{1,64}`
	request := func(value string) Case {
		return Case{Method: "GET", Path: "{api}/users?limit=1", Header: map[string]string{"X-Request-Id": value},
			Want: Want{Status: 200, Type: typeJSON, NoIDs: true, Header: map[string]string{"X-Request-Id": anyID}, Body: []Predicate{ownRequestID}}}
	}
	none, bad, long := request(""), request("not an id!"), request(strings.Repeat("x", 65))
	none.Name = "a request without an id gets one"
	bad.Name = "a request with a malformed id gets another"
	long.Name = "a request with an id of 65 characters gets another"
	return []Case{none, bad, long, {
		Name: "a request without a trace gets one", Method: "GET", Path: "{api}/users?limit=1", Header: map[string]string{"Traceparent": ""},
		Want: Want{Status: 200, Type: typeJSON, NoIDs: true, Body: []Predicate{freshTrace}},
	}}
}

// deleteCases come last: they delete the user that was created.
func deleteCases() []Case {
	return []Case{
		{Name: "delete with an id that is no number", Method: "DELETE", Path: "{api}/users/ada", Want: problem(400)},
		{Name: "delete a user who is not there", Method: "DELETE", Path: "{api}/users/{missing}", Want: problem(404)},
		{Name: "delete", Method: "DELETE", Path: "{api}/users/{id}", Want: Want{Status: 204, Type: noBody}},
		{Name: "get the deleted user", Method: "GET", Path: "{api}/users/{id}", Want: problem(404)},
		{Name: "delete the deleted user", Method: "DELETE", Path: "{api}/users/{id}", Want: problem(404)},
	}
}

// pageCases are the page and its forms, which only the frontend has.
func pageCases() []Case {
	back := Want{Status: 303, Header: map[string]string{"Location": `/(\?.*)?`}}
	return []Case{
		{Name: "the page", Method: "GET", Path: "/", Want: Want{Status: 200, Type: typeHTML,
			Header: map[string]string{"Content-Security-Policy": `.*default-src .*`}, Body: []Predicate{contains("<form"), contains("/ui/users")}}},
		{Name: "what the page loads is there", Steps: checkAssets},
		{Name: "the page takes no POST", Method: "POST", Path: "/", Want: notAllowed("GET")},
		{Name: "the form adds a user and the form deletes it", Steps: checkForms},
		{Name: "the form for a slow query", Method: "POST", Path: "/ui/slow", Header: formBody, Want: back},
		{Name: "the form for a failing query", Method: "POST", Path: "/ui/error", Header: formBody, Want: back},
		{Name: "the forms' addresses take no GET", Method: "GET", Path: "/ui/users", Want: notAllowed("POST")},
		{Name: "another site's form is refused", Method: "POST", Path: "/ui/slow",
			Header: map[string]string{"Content-Type": formBody["Content-Type"], "Sec-Fetch-Site": "cross-site"}, Want: problem(403)},
	}
}
