package bench

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// pair is the original lab's two Flask services, without their telemetry.
//
//go:embed flask/*.py
var pair embed.FS

// flaskGoal is the goal of the lab's rate ÷ the Flask pair's.
const flaskGoal = 5

// asked is the path that both frontends are asked for.
const asked = "/api/users/1"

// flaskRatio asks the lab's frontend and the Flask pair's in turns, each for as much as it
// answers. Between two turns the lab works off what it was sent, and that work counts as
// the requests' processor time.
func flaskRatio(ctx context.Context, o Options) ([]Row, []string, error) {
	if err := needFlask(ctx); err != nil {
		return nil, nil, err
	}
	dir, remove, err := folder()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	frontend, backend, err := startFlask(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	defer backend.stop()
	defer frontend.stop()
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer release()

	barePair, stopBare, err := startBare(ctx, o, dir)
	if err != nil {
		return nil, nil, err
	}
	defer stopBare()

	ours, theirs := newSide("the lab", lab.at.Frontend, lab.groups), newSide("the Flask pair", frontend.url, []group{frontend.group, backend.group})
	ours.settle = func() error { return lab.settle(ctx, 2*time.Minute) }
	sides := []*side{ours, theirs}
	if barePair != nil {
		sides = append(sides, barePair)
	}
	rounds, busy := 4, 8*time.Second
	if o.Short {
		rounds, busy = 3, 2*time.Second
	}
	for round := range rounds {
		for _, s := range sides {
			o.step("round %d of %d, %s", round+1, rounds, s.name)
			if err := s.measure(ctx, busy); err != nil {
				return nil, nil, err
			}
		}
	}
	stored, err := storedShare(ctx, lab, ours.requests)
	if err != nil {
		return nil, nil, err
	}
	rows := []Row{row("requests a second, the lab ÷ the Flask pair", Ratio, ratios(ours.rate, theirs.rate)...).over(flaskGoal)}
	if barePair != nil {
		rows = append(rows, row("requests a second, the lab's services without telemetry ÷ the Flask pair", Ratio, ratios(barePair.rate, theirs.rate)...))
	}
	for _, s := range sides {
		rows = append(rows,
			row("requests a second, "+s.name, PerSecond, s.rate...),
			row("p99, "+s.name, Seconds, s.p99...),
			row("processor time a request, "+s.name, Seconds, s.processor...))
	}
	rows = append(rows, row("spans stored ÷ spans of all requests", Ratio, stored).over(1))
	for _, g := range lab.groups {
		rows = append(rows, row("processor time a request, "+g.name, Seconds, ours.each[g.name]...))
	}
	return rows, []string{
		"The lab: frontend → backend → SQLite, every request traced, logged, counted and stored by Alloy, Tempo, Loki and Mimir on the same cores. The Flask pair: gunicorn with two workers each, no telemetry (`ci/internal/bench/flask`).",
		fmt.Sprintf("%d connections, by %s. The lab's processor time includes what it does with the telemetry after the last answer.", connections, generatorName()),
	}, nil
}

// needFlask fails with what to install when the Flask pair cannot run here.
func needFlask(ctx context.Context) error {
	const how = "apt-get install python3-flask python3-requests gunicorn"
	if _, err := os.Stat(python); err != nil {
		return errSkip("the Flask pair needs Python: " + how)
	}
	if err := exec.CommandContext(ctx, python, "-c", "import flask, requests, gunicorn").Run(); err != nil {
		return errSkip("the Flask pair needs Flask, requests and gunicorn: " + how)
	}
	return nil
}

// python is the system's own, for which the packages are. Another one on the PATH has
// packages of its own.
const python = "/usr/bin/python3"

// startFlask starts the pair. The caller must stop both.
func startFlask(ctx context.Context, dir string) (frontend, backend *program, err error) {
	if err := os.CopyFS(dir, pair); err != nil {
		return nil, nil, err
	}
	dir = filepath.Join(dir, "flask")
	backend, err = gunicorn(ctx, dir, "backend", "DATABASE_PATH="+filepath.Join(dir, "users.db"))
	if err != nil {
		return nil, nil, err
	}
	frontend, err = gunicorn(ctx, dir, "frontend", "BACKEND_URL="+backend.url)
	if err != nil {
		backend.stop()
		return nil, nil, err
	}
	return frontend, backend, nil
}

// gunicorn starts a service of the pair with two workers.
func gunicorn(ctx context.Context, dir, name string, env ...string) (*program, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	cmd := exec.Command(python, "-m", "gunicorn", "--workers=2", "--bind="+address, "--log-level=warning", name+":app")
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=/usr/bin:/bin"}, env...)
	return startProgram(ctx, "the "+name+" of the Flask pair", "http://"+address, "/health", cmd)
}

// startBare starts the lab's two services without telemetry: the most that any telemetry
// could leave of their rate. The side is nil without a checkout to compile them from.
func startBare(ctx context.Context, o Options, dir string) (_ *side, stop func(), err error) {
	if o.Root == "" {
		return nil, func() {}, nil
	}
	if err := buildServices(ctx, o.Root, dir, "frontend", "backend"); err != nil {
		return nil, nil, err
	}
	backend, err := startBackend(ctx, dir, "off", withoutTelemetry...)
	if err != nil {
		return nil, nil, err
	}
	frontend, err := startService(ctx, dir, "frontend", "telemetry off", append([]string{"BACKEND_URL=" + backend.url}, withoutTelemetry...)...)
	if err != nil {
		backend.stop()
		return nil, nil, err
	}
	return newSide("the lab's services without telemetry", frontend.url, []group{frontend.group, backend.group}), func() { frontend.stop(); backend.stop() }, nil
}

// side is one of those that are compared.
type side struct {
	name, url string
	// settle returns when the side has no more work.
	settle               func() error
	groups               []group
	requests             int
	rate, p99, processor []float64
	each                 map[string][]float64 // processor time a request, by process
}

func newSide(name, frontend string, groups []group) *side {
	return &side{name: name, url: frontend + asked, settle: func() error { return nil }, groups: groups, each: map[string][]float64{}}
}

// measure asks the side for as much as it answers.
func (s *side) measure(ctx context.Context, d time.Duration) error {
	before, err := measureAll(s.groups)
	if err != nil {
		return err
	}
	r, err := full(ctx, s.url, d)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.settle(); err != nil {
		return err
	}
	after, err := measureAll(s.groups)
	if err != nil {
		return err
	}
	s.requests += r.requests
	s.rate, s.p99 = append(s.rate, r.rate), append(s.p99, r.p99.Seconds())
	s.processor = append(s.processor, processorBetween(before, after)/float64(r.requests))
	for name, used := range after {
		s.each[name] = append(s.each[name], (used.processor-before[name].processor)/float64(r.requests))
	}
	return nil
}

// spansPerRequest are those of a GET of one user: the frontend's server and client span,
// the backend's server span, its query.
const spansPerRequest = 4

// storedShare is the number of spans that Tempo has taken ÷ those of the requests. It is
// above 1 by the few requests that are nobody's, such as those that wrk does not count.
func storedShare(ctx context.Context, l ownLab, requests int) (float64, error) {
	mimir := query.Mimir{URL: l.at.Mimir, HTTP: httpClient}
	var got float64
	deadline := time.Now().Add(20 * time.Second) // two scrapes, and a queue that drains
	for {
		samples, err := mimir.Instant(ctx, "sum(tempo_distributor_spans_received_total)", time.Now())
		if err != nil {
			return 0, err
		}
		for _, s := range samples {
			got = s.Value
		}
		if got >= float64(requests*spansPerRequest) || time.Now().After(deadline) {
			return got / float64(requests*spansPerRequest), nil
		}
		if err := waitSecond(ctx); err != nil {
			return 0, err
		}
	}
}
