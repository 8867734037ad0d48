package facts

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
)

// jwt has the form of a token, and is none.
const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"

func TestSensitive(t *testing.T) {
	for _, test := range []struct{ key, value, kind string }{
		{"note", jwt, "token"},
		{"note", "Authorization: Bearer abcdef123456", "token"},
		{"note", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "token"},
		{"note", "key AKIAIOSFODNN7EXAMPLE", "token"},
		{"note", "ghp_" + strings.Repeat("a1", 18), "token"},
		{"url.full", "https://a.example/?access_token=0123456789", "token"},
		{"http.request.header.authorization", "abc123def", "token"},
		{"http.request.header.cookie", "sid=1", "token"},
		{"user.password", "hunter2", "password"},
		{"body", `{"password": "hunter2"}`, "password"},
		{"note", "login anna@example.com failed", "email"},
		{"note", "paid with 4111 1111 1111 1111.", "card_number"},
		{"note", "4111111111111111", "card_number"},
		{"note", "5500-0000-0000-0004", "card_number"},
		{"url.full", "postgres://admin:secret@db:5432/x", "url_credentials"},
		{"note", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private_key"},
		{"db.query.text", "SELECT * FROM users WHERE name = 'anna'", "sql_value"},
		{"db.statement", "SELECT * FROM users WHERE id = 42", "sql_value"},
		{"db.query.text", "INSERT INTO users VALUES (7, ?)", "sql_value"},
		// And what looks like it and is not.
		{"note", "a bearer of news", ""},
		{"note", "Basic authentication is off", ""},
		{"url.full", "https://a.example/?token=REDACTED", ""},
		{"http.request.header.authorization", "****", ""},
		{"http.request.header.authorization", "[REDACTED]", ""},
		{"user.password", "***", ""},
		{"note", "wrong password", ""},
		{"note", "4111 1111 1111 1112", ""},
		{"trace", "41111111111111111111111111111111", ""},
		{"time", "1764115200000000000", ""},
		{"note", "user@host", ""},
		{"url.full", "postgres://db:5432/x", ""},
		{"url.full", "postgres://admin:****@db/x", ""},
		{"db.query.text", "SELECT * FROM users WHERE name = ? AND id = $1 LIMIT 10", ""},
		{"db.query.text", `SELECT "a1" FROM t2 WHERE x = '?'`, ""},
		{"note", "SELECT * FROM users WHERE id = 42", ""},
		{"max_tokens", "token: 1234", ""},
	} {
		k, c := testKeeper()
		k.Traces(tracesOf(shop, spanOf{trace: 1, id: 1, edit: set(test.key, test.value)}))
		s := factsOf(t, k, c)
		kinds := map[string]bool{}
		for _, found := range s.Sensitive {
			kinds[found.Kind] = true
			if found.Where != "span "+test.key || found.Count != 1 || found.TraceID == "" {
				t.Errorf("%s %q: %+v", test.key, test.value, found)
			}
		}
		if test.kind == "" && len(kinds) > 0 || test.kind != "" && !kinds[test.kind] {
			t.Errorf("%s %q: found %v, want %q", test.key, test.value, kinds, test.kind)
		}
	}
}

// TestSecretsAreNotRepeated sends secrets everywhere, and looks for them in all that the
// facts say.
func TestSecretsAreNotRepeated(t *testing.T) {
	k, c := testKeeper()
	const email, password = "anna.smith@example.com", "correct-horse-battery"
	resource := map[string]any{"service.name": "shop", "process.command_args": []any{"--password=" + password}, "owner": email}
	k.Traces(tracesOf(resource,
		spanOf{trace: 1, id: 1, name: "GET /users/" + email, edit: failed(set("user.email", email, "auth.password", password, "note", email+" and "+email))},
		spanOf{trace: 1, id: 2, parent: 9, name: "GET /users/" + email}))
	k.Logs(logsOf(resource, func(l plog.LogRecord) {
		l.SetSeverityNumber(0)
		l.Body().SetStr("login of " + email + " with " + jwt)
	}))
	s := factsOf(t, k, c)
	all := fmt.Sprintf("%+v", s)
	for _, secret := range []string{email, password, jwt, "smith"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("the facts repeat %q: …%s", secret, all[max(0, i-80):i+len(secret)])
		}
	}
	if len(s.Sensitive) < 6 {
		t.Errorf("found %+v", s.Sensitive)
	}
}

func TestSensitiveCountsEachTime(t *testing.T) {
	k, c := testKeeper()
	for range 3 {
		k.Traces(tracesOf(shop, spanOf{trace: 1, id: 1, name: "mail anna@example.com", edit: set("to", "anna@example.com")}))
	}
	for _, found := range factsOf(t, k, c).Sensitive {
		if found.Count != 3 {
			t.Errorf("%+v, want it 3 times", found)
		}
	}
}
