package forward

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The environment, which other programs of the same user can read, has the names of the
// headers, and no value.
func TestEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("# a comment\r\n\r\nAuthorization: Basic a:b\r\nX-Tenant:7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := New("https://otlp.example.com/", file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"LAB_FORWARD_COPY=forward", "LAB_FORWARD_URL=https://otlp.example.com",
		"LAB_FORWARD_HEADERS=Authorization,X-Tenant,X-Tenant,X-Tenant"}
	if got := f.Environment(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := f.Slots()[0].Value; got != "Basic a:b" {
		t.Errorf("the value is %q", got)
	}
	if got := (Endpoint{}).Environment(); !slices.Equal(got, []string{"LAB_FORWARD_COPY=off"}) {
		t.Errorf("without an endpoint: %q", got)
	}
}

// A wrong endpoint or file is refused, and the message does not show what may be secret.
func TestNewRefuses(t *testing.T) {
	const endpoint = "https://otlp.example.com"
	for name, test := range map[string]struct{ url, headers, says string }{
		"gRPC":              {"grpc://otlp.example.com", "", "gRPC"},
		"no URL":            {"otlp.example.com", "", "http or https"},
		"a password":        {"https://u:hidden@otlp.example.com", "", "--forward-headers"},
		"a key":             {endpoint + "?key=hidden", "", "--forward-headers"},
		"no colon":          {endpoint, "Authorization hidden", "line 1"},
		"no value":          {endpoint, "A: 1\nAuthorization:", "line 2"},
		"a name with space": {endpoint, "My Key: hidden", "line 1"},
		"a control":         {endpoint, "Key: hid\x01den", "line 1"},
		"a name twice":      {endpoint, "Key: hidden\nkey: hidden", "line 2"},
		"too many":          {endpoint, "A: 1\nB: 1\nC: 1\nD: 1\nE: hidden", "room for 4"},
		"headers alone":     {"", "A: hidden", "--forward URL"},
	} {
		t.Run(name, func(t *testing.T) {
			file := ""
			if test.headers != "" {
				file = filepath.Join(t.TempDir(), "headers")
				if err := os.WriteFile(file, []byte(test.headers), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := New(test.url, file)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hid") {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
	if _, err := New(endpoint, filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file is no error")
	}
}
