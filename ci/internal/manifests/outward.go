package manifests

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// outward is a server outside of the lab, which a setting of the overlay [Production] names
// and a network policy opens.
type outward struct {
	// setting is the name of the setting that has the server's URL. Without a value the
	// server is not there, and the component of the same name as policy is left out.
	setting string
	// policy is the name of the NetworkPolicy, and of the component that it comes with.
	policy string
	// parse reads the setting's value.
	parse func(value string, settings map[string]string) (server, error)
}

// outwards are all such servers.
var outwards = []outward{
	{"OBJECT_STORE_ENDPOINT", "object-store", parseStore}, // sets arguments that ALERTMANAGER_URL's adds to
	{"DATABASE_ENDPOINT", "database", parseDatabase},
	{"ALERTMANAGER_URL", "alertmanager", parseURL},
	{"IDENTITY_PROVIDER_URL", "identity-provider", parseURL},
}

// openOutwards adds to the kustomization the components that the overlay's settings ask for,
// and opens each server's network policy on the port of the server, and no other.
func openOutwards(k *types.Kustomization, settings map[string]string) error {
	var errs []error
	for _, o := range outwards {
		value := settings[o.setting]
		if value == "" {
			continue
		}
		at, err := o.parse(value, settings)
		if err != nil {
			errs = append(errs, fmt.Errorf("settings.env: %s: %w", o.setting, err))
			continue
		}
		k.Components = append(k.Components, component(o.policy))
		patch, err := at.patch(o.policy)
		if err != nil {
			return err
		}
		k.Patches = append(k.Patches, patch)
	}
	return errors.Join(errs...)
}

// server is where a server listens.
type server struct {
	port int
	// address is an IP address, invalid if the server has a name. A network policy cannot
	// say a name.
	address netip.Addr
}

// parseStore reads the object store's endpoint: a host, which may have a port.
func parseStore(endpoint string, settings map[string]string) (server, error) {
	if settings["OBJECT_STORE_INSECURE"] == "true" {
		return parseEndpoint(endpoint, 80)
	}
	return parseEndpoint(endpoint, 443)
}

// parseDatabase reads the endpoint of a PostgreSQL server: a host, which may have a port.
func parseDatabase(endpoint string, _ map[string]string) (server, error) {
	return parseEndpoint(endpoint, 5432)
}

// parseEndpoint reads host or host:port.
func parseEndpoint(endpoint string, usual int) (server, error) {
	u, err := url.Parse("//" + endpoint)
	if err != nil || u.Host != endpoint || u.Hostname() == "" {
		return server{}, fmt.Errorf("%q is not a host or host:port", endpoint)
	}
	return serverOf(u, usual)
}

// parseURL reads the URL of a server that speaks HTTP.
func parseURL(text string, _ map[string]string) (server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return server{}, err
	}
	usual := map[string]int{"http": 80, "https": 443}[u.Scheme]
	if usual == 0 || u.Hostname() == "" {
		return server{}, fmt.Errorf("%q is not a URL that begins with http:// or https:// and has a host", text)
	}
	return serverOf(u, usual)
}

// serverOf is the server of a URL, at the usual port unless the URL has one.
func serverOf(u *url.URL, usual int) (s server, err error) {
	s.port = usual
	if given := u.Port(); given != "" {
		if s.port, err = strconv.Atoi(given); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, fmt.Errorf("%q: there is no port %s", u.Host, given)
		}
	}
	s.address, _ = netip.ParseAddr(u.Hostname())
	return s, nil
}

// patch returns a patch that lets the pods of the policy connect to the server.
func (s server) patch(policy string) (types.Patch, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	operations := []operation{{"add", "/spec/egress/0/ports/-", map[string]any{"protocol": "TCP", "port": s.port}}}
	if s.address.IsValid() {
		block := netip.PrefixFrom(s.address, s.address.BitLen()).String()
		operations = append(operations, operation{"add", "/spec/egress/0/to", []any{map[string]any{"ipBlock": map[string]any{"cidr": block}}}})
	}
	raw, err := yaml.Marshal(operations)
	return types.Patch{Patch: string(raw), Target: selector("NetworkPolicy", policy)}, err
}
