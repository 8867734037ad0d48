package verify

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCheckAll runs checks that pass, pass at last, fail, are skipped, and hang.
func TestCheckAll(t *testing.T) {
	v := &verifier{timing: timing{again: time.Millisecond}}
	var tries atomic.Int32
	hang := func(ctx context.Context) (string, error) { <-ctx.Done(); return "nothing", ctx.Err() }
	wrong := 0
	checks := []concurrentCheck{
		{name: "right", run: func(context.Context) (string, error) { return "1", nil }},
		{name: "right at last", run: func(context.Context) (string, error) {
			if tries.Add(1) < 3 {
				return "", errors.New("not yet")
			}
			return "3", nil
		}},
		{name: "cannot be asked", run: func(context.Context) (string, error) { return "", skipReason("nobody is there") }},
		{name: "always wrong", run: func(context.Context) (string, error) { wrong++; return "0", errors.New("it is 0") }},
		{name: "wrong, then hangs", backend: "another", run: func() func(context.Context) (string, error) {
			n := 0
			return func(ctx context.Context) (string, error) {
				if n++; n > 1 {
					return hang(ctx)
				}
				return "2", errors.New("it is 2")
			}
		}()},
	}
	for range maxConcurrent {
		checks = append(checks, concurrentCheck{name: "hangs", backend: "a third", run: hang})
	}
	checks = append(checks, concurrentCheck{name: "behind those that hang", backend: "a third", run: hang})
	v.checkAll(t.Context(), "some", 100*time.Millisecond, checks)
	var got []string
	for _, c := range v.report.Checks {
		got = append(got, string(c.Status)+" "+c.Name+": "+c.Measured+"; "+c.Detail)
	}
	want := []string{
		"pass right: 1; ", "pass right at last: 3; ", "skip cannot be asked: ; nobody is there", "fail always wrong: 0; after 100ms: it is 0",
		"fail wrong, then hangs: 2; after 100ms: it is 2",
		"fail hangs: nothing; after 100ms: context deadline exceeded", "fail hangs: nothing; after 100ms: context deadline exceeded",
		"fail hangs: nothing; after 100ms: context deadline exceeded", "fail hangs: nothing; after 100ms: context deadline exceeded",
		"fail behind those that hang: –; not asked: the others of the group have taken all of 100ms",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the checks are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
