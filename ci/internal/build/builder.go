package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// started is the first line that the builder itself prints; before it, the go
// command compiles the builder.
const started = "builder: "

// quoted bounds what an error quotes of the output, in lines.
const quoted = 40

// runBuilder compiles and runs ci/ko. Go keeps the compiled builder in its cache.
func runBuilder(ctx context.Context, o Options) error {
	toolchain, err := pinnedToolchain(o.Root)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "-C", filepath.Join(o.Root, "ci", "ko"), "."}, o.args()...)...)
	cmd.Env = append(builderEnv(toolchain), o.env...)
	cmd.Stdout = io.Discard // digests.json has it all
	// go run does not pass signals on. The builder gives up when its standard input
	// ends, which it also does when this process is killed; the interrupt is for
	// the go command while it still compiles the builder.
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer alive.Close()
	cmd.Cancel = func() error {
		return errors.Join(alive.Close(), cmd.Process.Signal(os.Interrupt))
	}
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoBuilder, err)
	}
	said := follow(stderr, o.Progress)
	err = cmd.Wait()
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

// builderEnv is the environment that the builder is compiled in. What describes the
// user's network and directories (GOPROXY, GOCACHE …) passes; what would make it
// another program does not, because Go would then compile it anew, and because its
// Go decides how the layers are compressed.
func builderEnv(toolchain string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains([]string{"GOEXPERIMENT", "GOAMD64", "GOARM64", "GOFIPS140", "GODEBUG"}, name)
	})
	return append(env, "GOTOOLCHAIN="+toolchain, "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
}

func (o Options) args() []string {
	args := []string{"--root", o.Root, "--out", o.Out, "--attended"}
	for _, f := range []struct{ flag, value string }{
		{"--base", o.Base}, {"--platform", strings.Join(o.Platforms, ",")}, {"--load-platform", o.LoadPlatform},
		{"--version", o.Version}, {"--cache", o.Cache}, {"--gocache", o.gocache}, {"--publish", o.Publish},
	} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
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

// output is what the builder, or the go command before it, has said.
type output struct {
	started bool
	lines   []string
}

// tail is the error at the end of the output: from the builder's "error:" on, or
// the last lines if there is none.
func (o output) tail() string {
	lines := o.lines
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

// quiet is how long nothing happens before the last line is told again.
const quiet = 15 * time.Second

// follow reads the output to its end and passes on the lines that tell how far
// the build is; with the time, when it is silent for long.
func follow(r io.Reader, tell func(string)) output {
	if tell == nil {
		tell = func(string) {}
	}
	var out output
	var mu sync.Mutex
	last, since := "compiling the image builder", time.Now()
	over := make(chan struct{})
	var ticker sync.WaitGroup
	ticker.Go(func() {
		t := time.NewTicker(quiet)
		defer t.Stop()
		for {
			select {
			case <-over:
				return
			case <-t.C:
				mu.Lock()
				tell(fmt.Sprintf("%s … %.0f s", last, time.Since(since).Seconds()))
				mu.Unlock()
			}
		}
	})
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	failing := false
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		out.started = out.started || strings.HasPrefix(line, started)
		out.lines = append(out.lines, line)
		failing = failing || strings.HasPrefix(line, "error: ")
		line = strings.TrimPrefix(line, started)
		if !out.started || failing || strings.HasPrefix(line, "Writing SBOM") {
			continue
		}
		mu.Lock()
		last, since = line, time.Now()
		tell(line)
		mu.Unlock()
	}
	close(over)
	ticker.Wait()
	_, _ = io.Copy(io.Discard, r) // a line beyond the buffer must not block the builder
	return out
}
