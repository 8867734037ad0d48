// Package registry gets images out of container registries: manifests through
// go-containerregistry, layers through a [Store], which goes on where an earlier
// download broke off.
//
// Everything is asked for by its digest, and what arrives is compared with it: the
// index, the manifest, the configuration and every layer.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// userAgent is what registries see in their logs.
const userAgent = "lgtm-lab"

// Client says how registries are spoken to. The zero value is for public ones.
// Credentials are those that `docker login` and its likes have stored.
type Client struct {
	// Insecure lists registries, as host or host:port, to speak plain HTTP with
	// where they do not answer HTTPS. Registries on this machine and at private
	// addresses are treated so without being listed. The digest proves the content
	// in either case. Plain HTTP does not protect the credentials.
	Insecure []string
	// Transport is the HTTP client's; nil is the default, with proxies.
	Transport http.RoundTripper
	// FirstPause is the pause before the second try, and doubles with each further one;
	// 0 is 1 s.
	FirstPause time.Duration
}

// Reference parses repository@digest.
func (c Client) Reference(pinned string) (name.Digest, error) {
	ref, err := name.NewDigest(pinned)
	if err != nil {
		return name.Digest{}, err
	}
	registry := ref.RegistryStr()
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	if slices.Contains(c.Insecure, registry) || slices.Contains(c.Insecure, host) {
		return name.NewDigest(pinned, name.Insecure)
	}
	return ref, nil
}

func (c Client) options(ctx context.Context) []remote.Option {
	opts := []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent(userAgent),
	}
	if c.Transport != nil {
		opts = append(opts, remote.WithTransport(c.Transport))
	}
	return opts
}

// Probe asks once whether the registry answers and has the manifest of ref. The
// caller's ctx bounds the wait.
func (c Client) Probe(ctx context.Context, ref name.Digest) error {
	_, err := remote.Head(ref, append(c.options(ctx), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))...)
	return err
}

// Manifest gets the manifest that ref names, of an index or of one image. It repeats a
// request that failed for a passing reason.
func (c Client) Manifest(ctx context.Context, ref name.Digest) (*remote.Descriptor, error) {
	return c.manifest(ctx, ref)
}

func (c Client) manifest(ctx context.Context, ref name.Digest, more ...remote.Option) (*remote.Descriptor, error) {
	var desc *remote.Descriptor
	err := c.Retry(ctx, func() (err error) {
		desc, err = remote.Get(ref, append(c.options(ctx), more...)...)
		return err
	})
	if err == nil && desc.Digest.String() != ref.DigestStr() {
		return nil, fmt.Errorf("the registry sent %s", desc.Digest)
	}
	return desc, err
}

// Image gets the manifest and the configuration of ref for a platform. Its layers
// are fetched when they are read; [Store.Fetch] does that better.
func (c Client) Image(ctx context.Context, ref name.Digest, p v1.Platform) (v1.Image, error) {
	desc, err := c.manifest(ctx, ref, remote.WithPlatform(p))
	if err != nil {
		return nil, err
	}
	var image v1.Image
	var raw []byte
	err = c.Retry(ctx, func() (err error) {
		if image, err = desc.Image(); err != nil {
			return fmt.Errorf("for %s: %w", p, err)
		}
		raw, err = image.RawConfigFile()
		return err
	})
	if err != nil {
		return nil, err
	}
	// The index only claims a platform, and a digest of one platform's image names no
	// platform at all. The configuration has the truth.
	var cfg v1.ConfigFile
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return nil, err
	}
	if cfg.OS != p.OS || cfg.Architecture != p.Architecture {
		return nil, fmt.Errorf("it is for %s/%s, not for %s", cfg.OS, cfg.Architecture, p)
	}
	return image, nil
}

// Plain shortens a network error: without the URL and the resolver's address.
func Plain(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%s: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}
