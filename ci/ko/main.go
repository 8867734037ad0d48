// Command ko builds the container images of frontend, backend and lab from a
// checkout, with the ko library and without any container runtime.
//
//	go run -C ci/ko . --root . --out DIR
//
// The .ko.yaml of the checkout says how. The images depend on the checkout, on the
// content of the base image and on the Go version that .ko.yaml names, and on nothing
// else: not on the directory, the machine, the time, or the tool that has exported the
// base. In DIR it leaves for every image
//
//	NAME.oci.tar         an OCI layout of all platforms, in a tar file
//	NAME.tar             one platform for `docker load` and `kind load image-archive`
//	sbom/NAME-….spdx.json  its SBOMs, one file a platform and one for the index
//	digests.json         all digests, tags and sizes; written last
//
// It is a module of its own because ko's requirements are many and nothing else
// here needs them. Programs use it through the package ci/internal/build.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// patience is how long a build may take to clean up after its parent has ended.
const patience = 5 * time.Second

// options is the command line.
type options struct {
	root          string   // the checkout
	base          string   // a reference with a digest, or an OCI layout; "" is that of .ko.yaml
	baseReference string   // what the layout of base is a copy of; "" is the layout's own digest
	baseAnew      bool     // see exportedAnew
	out           string   // where everything is written
	platform      []string // "linux/amd64"; empty is .ko.yaml's defaultPlatforms
	load          string   // the platform of NAME.tar; "" is this machine's, if it is built
	version       string   // what the services report as service.version
	cache         string   // binaries and layers of earlier builds; "" keeps none
	gocache       string   // the compiler's cache; "" is the user's
	publish       string   // "registry/repository/prefix" to push to; "" pushes nothing
	insecure      bool     // speak plain HTTP with the registries
	attended      bool     // end when standard input does
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var platforms string
	f := flag.NewFlagSet("ko", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.root, "root", ".", "the `CHECKOUT`")
	f.StringVar(&o.base, "base", "", "the base image: a `REFERENCE` with a digest, or an OCI layout (directory or tar) (default that of .ko.yaml)")
	f.StringVar(&o.baseReference, "base-reference", "", "the `REFERENCE`, with a digest, of what --base is an export of; for tools that write manifests anew")
	f.BoolVar(&o.baseAnew, "base-anew", false, "build on a copy of the base as another tool would export it now; the images must be the same")
	f.StringVar(&o.out, "out", "", "the `DIRECTORY` to write to")
	f.StringVar(&platforms, "platform", "", "comma-separated `PLATFORMS` (default those of .ko.yaml)")
	f.StringVar(&o.load, "load-platform", "", "the `PLATFORM` of NAME.tar (default that of this machine, else the first)")
	f.StringVar(&o.version, "version", "", "the `VERSION` that the services report (default dev)")
	f.StringVar(&o.cache, "cache", "", "a `DIRECTORY` that makes the next build quicker")
	f.StringVar(&o.gocache, "gocache", "", "the compiler's cache `DIRECTORY` (default GOCACHE)")
	f.StringVar(&o.publish, "publish", "", "push to `REPOSITORY`/NAME too, and print the references")
	f.BoolVar(&o.insecure, "insecure-registry", false, "speak plain HTTP with the registries of --base and --publish")
	f.BoolVar(&o.attended, "attended", false, "give up when standard input ends")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected arguments %q", f.Args())
	}
	if o.out == "" {
		return o, errors.New("--out DIRECTORY is missing")
	}
	if platforms != "" {
		o.platform = strings.Split(platforms, ",")
	}
	for _, p := range []*string{&o.root, &o.out, &o.cache, &o.gocache} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = abs
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.attended {
		var gone context.CancelFunc
		ctx, gone = context.WithCancel(ctx)
		defer gone()
		// A parent that was killed cannot say so; its end of the pipe closes.
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			gone()
			time.Sleep(patience)
			os.Exit(1)
		}()
	}
	log.SetFlags(0)
	log.SetOutput(progress{stderr})
	cfg, err := readConfig(filepath.Join(o.root, ".ko.yaml"))
	if err != nil {
		return err
	}
	if err := cfg.apply(o); err != nil {
		return err
	}
	if len(o.platform) == 0 {
		o.platform = cfg.Platforms
	}
	if o.load == "" {
		o.load = loadPlatform(o.platform)
	}
	for i := range o.platform {
		o.platform[i] = withoutV8(o.platform[i])
	}
	o.load = withoutV8(o.load)
	// ci/internal/build looks for this line: from here on, an error is ours.
	log.Printf("builder: building for %s", strings.Join(o.platform, ", "))
	base, err := openBase(ctx, o, cfg)
	if err != nil {
		return fmt.Errorf("base image: %w", err)
	}
	defer base.close()
	built, err := buildAll(ctx, o, cfg, base)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	list, err := writeAll(o, base, built)
	if err != nil {
		return err
	}
	if o.publish != "" {
		if err := publish(ctx, o, built, &list); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		for _, img := range list.Images {
			fmt.Fprintln(stdout, img.Reference)
		}
	}
	return list.write(o.out)
}

// loadPlatform is the platform of which NAME.tar is made: linux on this machine's
// processor, which a container runtime here can run, if that platform is built.
func loadPlatform(platforms []string) string {
	for _, p := range platforms {
		if strings.HasPrefix(p+"/", "linux/"+runtime.GOARCH+"/") {
			return p
		}
	}
	return platforms[0]
}

// progress passes on the lines of ko's log that tell how far it is.
type progress struct{ w io.Writer }

func (p progress) Write(line []byte) (int, error) {
	// ko asks git about the checkout for templates that .ko.yaml does not use.
	if !strings.Contains(string(line), "git") || strings.HasPrefix(string(line), "Building ") {
		if _, err := p.w.Write(line); err != nil {
			return 0, err
		}
	}
	return len(line), nil
}
