package httpx

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTimeoutOfTheClient(t *testing.T) {
	const longest = 7 * time.Second
	for text, want := range map[string]time.Duration{
		"": longest, "0": longest, "-5": longest, "soon": longest, "99999999999": longest,
		"60000": longest, "2000": 1950 * time.Millisecond, "60": 30 * time.Millisecond, "1": 500 * time.Microsecond,
	} {
		if got := timeout(http.Header{HeaderTimeout: {text}}, longest); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestSetTimeout(t *testing.T) {
	h := http.Header{HeaderTimeout: {"77"}}
	SetTimeout(context.Background(), h)
	if got := h.Values(HeaderTimeout); len(got) != 0 {
		t.Errorf("without a deadline: %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	SetTimeout(ctx, h)
	if got := timeout(h, time.Hour); got > time.Minute || got < 58*time.Second {
		t.Errorf("a minute became %v", got)
	}
	past, cancel := context.WithTimeout(t.Context(), -time.Minute)
	defer cancel()
	if SetTimeout(past, h); h.Get(HeaderTimeout) != "1" {
		t.Errorf("a deadline that is over became %q", h.Get(HeaderTimeout))
	}
}

// The handler ends before the client stops to wait, and the answer says why.
func TestHandlerEndsWithItsClientsPatience(t *testing.T) {
	l := newHarness(t, RouterConfig{Timeout: time.Minute})
	l.Handle("GET /waits", func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return r.Context().Err()
	})
	req := httptest.NewRequest("GET", "/waits", nil)
	req.Header.Set(HeaderTimeout, "100")
	if res, _ := l.do(req); res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" {
		t.Errorf("= %d %s", res.Code, res.Body)
	}
}

// A transport returns the cause of a context's end as its error. To its caller, that is a
// timeout like any other.
func TestDeadlineIsATimeout(t *testing.T) {
	if !errors.Is(errDeadline, context.DeadlineExceeded) {
		t.Error("the router's deadline is not taken for a timeout")
	}
}
