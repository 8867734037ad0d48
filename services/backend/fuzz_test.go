package main

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// wantAnswer fails unless the answer has one of the statuses, and a problem document if
// it is an error.
func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, statuses ...int) {
	t.Helper()
	ok := false
	for _, status := range statuses {
		ok = ok || w.Code == status
	}
	if !ok {
		t.Fatalf("status %d, want one of %v; body %s", w.Code, statuses, w.Body)
	}
	if w.Code < 400 {
		return
	}
	var p httpx.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || w.Header().Get("Content-Type") != httpx.ProblemContentType {
		t.Fatalf("%s is no problem document for a %d: %v", w.Body, w.Code, err)
	}
}

func FuzzCreateUser(f *testing.F) {
	for _, seed := range []string{
		`{"name":"Ada","email":"new@example.com"}`, `{"name":"a\u0000","email":"a@b"}`, `{"name":"é","email":"é@é.example"}`,
		`{"name":"'); DROP TABLE users; --","email":"'@example.com"}`, `{"name":"?","email":"?0@example.com"}`,
		`{}`, `null`, `[]`, `{"name":1}`, `{"id":1}`, `{}{}`, `{"name":`, "\xff", ``,
	} {
		f.Add([]byte(seed))
	}
	l := newHarness(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w := l.do("POST", "/users", string(body), "Content-Type", "application/json")
		wantAnswer(t, w, 201, 400, 409, 413, 422)
		if w.Code != 201 {
			return
		}
		location := w.Header().Get("Location")
		if again := l.do("GET", location, ""); again.Body.String() != w.Body.String() {
			t.Errorf("created %s, stored %s", w.Body, again.Body)
		}
		wantAnswer(t, l.do("DELETE", location, ""), 204)
	})
}

func FuzzUserID(f *testing.F) {
	for _, seed := range []string{"1", "0", "-1", "12", "13", "9223372036854775807", "9223372036854775808", "1\x00", "../stats", "%2e%2e", "a/b", "/", "", "1?x"} {
		f.Add(seed)
	}
	l := newHarness(f)
	f.Fuzz(func(t *testing.T, id string) {
		switch id {
		case "", ".", "..":
			return // another path
		}
		want := []int{400}
		if n, err := users.ParseID(id); err == nil {
			want = []int{404}
			if n <= 12 {
				want = []int{200}
			}
		}
		if id == "/" {
			want = []int{404} // ServeMux takes the segment %2F for a path's end
		}
		wantAnswer(t, l.do("GET", "/users/"+url.PathEscape(id), ""), want...)
	})
}

func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{"", "limit=1", "limit=0", "limit=201", "cursor=" + users.Cursor{After: 3}.String(), "cursor=x", "limit=1&limit=x", "%zz", "a;b", "limit=1e1"} {
		f.Add(seed)
	}
	l := newHarness(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/users", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		wantAnswer(t, w, 200, 400)
		if w.Code != 200 {
			return
		}
		var got page
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Users == nil {
			t.Fatalf("%s is no page: %v", w.Body, err)
		}
	})
}
