package traffic_test

import (
	"net/http"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// A run that is stopped early ends in order, tells of every request, and leaves the users
// that it has created when it is to keep them. Half of them are not even deleted meanwhile.
func TestStopEachAndKeepUsers(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	stop := make(chan struct{})
	var all []traffic.Answer
	exist, stopped := map[int64]bool{}, false
	r, err := traffic.Run(t.Context(), traffic.Options{
		Frontend: lab.Frontend, Profile: traffic.Profile{Name: "t", Rate: 200, Requests: 100_000, Seed: 1}, Stop: stop, KeepUsers: true,
		Each: func(a traffic.Answer) {
			all = append(all, a)
			switch a.Kind {
			case traffic.Create:
				exist[a.UserID] = true
			case traffic.Delete:
				delete(exist, a.UserID)
			}
			if len(all) >= 50 && len(exist) >= 3 && !stopped {
				stopped = true
				close(stop)
			}
		},
	})
	if err != nil || r.Interrupted || r.Requests == 0 || r.Requests > 10_000 {
		t.Fatalf("Run() = %d requests, interrupted %t, %v", r.Requests, r.Interrupted, err)
	}
	if len(all) != r.Requests {
		t.Errorf("%d answers of %d requests", len(all), r.Requests)
	}
	for _, a := range all {
		if !a.OK() || !a.FromBackend() || a.Sent.IsZero() || a.Ended.Before(a.Sent) {
			t.Errorf("answer %+v", a)
		}
	}
	found, err := traffic.Users(t.Context(), http.DefaultClient, lab.Frontend, r.TracePrefix)
	if err != nil || len(found) != len(exist) || len(found) == 0 {
		t.Fatalf("Users() = %d, %v; want %d", len(found), err, len(exist))
	}
	for _, u := range found {
		if !exist[u.ID] {
			t.Errorf("user %+v should not be there", u)
		}
	}
	if err := traffic.Sweep(t.Context(), http.DefaultClient, lab.Frontend, r.TracePrefix); err != nil {
		t.Error(err)
	}
	if found, _ := traffic.Users(t.Context(), http.DefaultClient, lab.Frontend, r.TracePrefix); len(found) > 0 {
		t.Errorf("%d users are left", len(found))
	}
}
