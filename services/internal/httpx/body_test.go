package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

type thing struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

func TestDecodeJSON(t *testing.T) {
	const media = "application/json"
	tests := []struct {
		name, contentType, body string
		status                  int // 0 means no error
		detail                  string
	}{
		{"good", media, ` {"name":"a","count":2} `, 0, ""},
		{"charset", "application/json; charset=UTF-8", `{}`, 0, ""},
		{"other charset", "application/json; charset=latin1", `{}`, 415, "The body must be application/json."},
		{"no type", "", `{}`, 415, "The body must be application/json."},
		{"form", "application/x-www-form-urlencoded", `name=a`, 415, "The body must be application/json."},
		{"bad type", "application/json;;", `{}`, 415, "The body must be application/json."},
		{"empty", media, ``, 400, "The body must be one JSON object."},
		{"null", media, `null`, 400, "The body must be one JSON object."},
		{"array", media, `[{}]`, 400, "The body must be one JSON object."},
		{"cut off", media, `{"name":"a"`, 400, "The body is not valid JSON."},
		{"no JSON", media, `{name}`, 400, "The body is not valid JSON."},
		{"raw NUL", media, "{\"name\":\"a\x00\"}", 400, "The body is not valid JSON."},
		{"not UTF-8", media, "{\"name\":\"\xff\"}", 400, "The body is not valid UTF-8."},
		{"unknown field", media, `{"nmae":"a"}`, 400, `The field "nmae" is not known.`},
		{"long unknown field", media, `{"` + strings.Repeat("a", 200) + `":1}`, 400, "The body has a field that is not known."},
		{"wrong type", media, `{"count":"a"}`, 400, `The field "count" cannot be a string.`},
		{"too big a number", media, `{"count":1e99}`, 400, `The field "count" cannot be a number.`},
		{"trailing object", media, `{}{}`, 400, "Nothing may follow the JSON object."},
		{"trailing text", media, `{} x`, 400, "Nothing may follow the JSON object."},
		{"just fits", media, `{"name":"` + strings.Repeat("a", MaxBody-11) + `"}`, 0, ""},
		{"one too many", media, `{"name":"` + strings.Repeat("a", MaxBody-10) + `"}`, 413, "The body is larger than 64 KiB."},
		{"deep", media, `{"name":` + strings.Repeat("[", 30000), 400, "The body is not valid JSON."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			var got thing
			err := DecodeJSON(httptest.NewRecorder(), r, &got)
			if tt.status == 0 {
				if err != nil {
					t.Fatalf("DecodeJSON() = %v", err)
				}
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Status != tt.status || e.Detail != tt.detail {
				t.Errorf("DecodeJSON() = %v; want %d %q", err, tt.status, tt.detail)
			}
		})
	}
}

// For any input, DecodeJSON returns a client error, or the value that encoding/json
// finds in the same bytes.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"name":"a","count":2}`, `{}`, `{}{}`, `null`, `{"name":"\u0000"}`, "{\"name\":\"\xff\"}", `{"count":1e99}`, `{"a":`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var got thing
		err := DecodeJSON(httptest.NewRecorder(), r, &got)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Status != 400 && e.Status != 413 || e.Detail == "" {
				t.Fatalf("DecodeJSON(%q) = %v, want a 400 or 413 that says why", body, err)
			}
			return
		}
		var want thing
		if err := json.Unmarshal(body, &want); err != nil || got != want {
			t.Fatalf("DecodeJSON(%q) gave %+v, encoding/json %+v, %v", body, got, want, err)
		}
	})
}
