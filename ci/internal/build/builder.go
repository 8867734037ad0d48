package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
)

// started is the first line that the builder itself prints; before it, the go
// command compiles the builder.
const started = "builder: "

// quoted is how many lines of output an error quotes at most.
const quoted = 40

// runBuilder compiles and runs ci/ko. Go keeps the compiled builder in its cache.
func runBuilder(ctx context.Context, o Options) error {
	toolchain, err := pinnedToolchain(o.Root)
	if err != nil {
		return err
	}
	said := newFollower(o.Progress)
	err = gotool.Command{
		Args: append([]string{"run", "-C", filepath.Join(o.Root, "ci", "ko"), "."}, o.args()...),
		// The builder's own Go decides how the layers are compressed.
		Env:      append([]string{"GOTOOLCHAIN=" + toolchain}, o.env...),
		Stderr:   said.line, // digests.json has what it prints on standard output
		Attended: true,
	}.Run(ctx)
	said.stop()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case !said.started:
		return fmt.Errorf("%w: %w\n%s", ErrNoBuilder, err, said.tail())
	}
	return errors.New(said.tail())
}

func (o Options) args() []string {
	args := []string{"--root", o.Root, "--out", o.Out, "--attended"}
	for _, f := range []struct{ flag, value string }{
		{"--base", o.Base}, {"--base-reference", o.BaseReference}, {"--platform", strings.Join(o.Platforms, ",")}, {"--load-platform", o.LoadPlatform},
		{"--version", o.Version}, {"--cache", o.Cache}, {"--gocache", o.gocache}, {"--publish", o.Publish},
	} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
	}
	if o.baseAnew {
		args = append(args, "--base-anew")
	}
	if o.Insecure {
		args = append(args, "--insecure-registry="+strconv.FormatBool(o.Insecure))
	}
	return args
}

var toolchainLine = regexp.MustCompile(`(?m)^\s*- GOTOOLCHAIN=(go1\.[0-9.a-z]+)\s*$`)

// pinnedToolchain is the Go version that .ko.yaml names, as "go1.26.8".
func pinnedToolchain(root string) (string, error) {
	file := filepath.Join(root, ".ko.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := toolchainLine.FindSubmatch(data)
	if m == nil {
		return "", fmt.Errorf("%s: no line \"- GOTOOLCHAIN=go1.…\" in it", file)
	}
	return string(m[1]), nil
}

// follower reads the standard error of the builder, and of the go command before it. It
// passes on the lines that tell how far the build is, and repeats the last one, with the
// time, when no line comes for long.
type follower struct {
	tell    func(string)
	lines   []string
	started bool // the builder itself runs
	failing bool // the rest is an error

	over   chan struct{}
	ticker sync.WaitGroup
	mu     sync.Mutex // guards last and since, and that tell is called once at a time
	last   string
	since  time.Time
}

func newFollower(tell func(string)) *follower {
	if tell == nil {
		tell = func(string) {}
	}
	f := &follower{tell: tell, over: make(chan struct{}), last: "compiling the image builder", since: time.Now()}
	f.ticker.Go(func() {
		t := time.NewTicker(progress.Every)
		defer t.Stop()
		for {
			select {
			case <-f.over:
				return
			case <-t.C:
				f.mu.Lock()
				f.tell(fmt.Sprintf("%s … %.0f s", f.last, time.Since(f.since).Seconds()))
				f.mu.Unlock()
			}
		}
	})
	return f
}

func (f *follower) line(line string) {
	f.started = f.started || strings.HasPrefix(line, started)
	f.lines = append(f.lines, line)
	f.failing = f.failing || strings.HasPrefix(line, "error: ")
	line = strings.TrimPrefix(line, started)
	if !f.started || f.failing || strings.HasPrefix(line, "Writing SBOM") {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.since = line, time.Now()
	f.tell(line)
}

// stop ends the repetition; nothing is told after it returns.
func (f *follower) stop() {
	close(f.over)
	f.ticker.Wait()
}

// tail is the error at the end of the output: from the builder's "error:" on, or
// the last lines if there is none.
func (f *follower) tail() string {
	lines := f.lines
	for i, line := range slices.Backward(lines) {
		if rest, ok := strings.CutPrefix(line, "error: "); ok {
			lines = append([]string{rest}, lines[i+1:]...)
			break
		}
	}
	if len(lines) > quoted {
		lines = lines[len(lines)-quoted:]
	}
	// go run's own word for a program that failed.
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, "exit status ") })
	return strings.Join(lines, "\n")
}
