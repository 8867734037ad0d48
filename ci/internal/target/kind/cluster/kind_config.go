package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"
)

// kindConfig returns Kind's configuration with this cluster's name, ports and nodes.
func (c *Cluster) kindConfig() (*v1alpha4.Cluster, error) {
	var cfg v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(c.Kind, &cfg); err != nil {
		return nil, fmt.Errorf("Kind's configuration: %w", err)
	}
	if cfg.APIVersion != "kind.x-k8s.io/v1alpha4" {
		return nil, fmt.Errorf("Kind's configuration: apiVersion is %q, not kind.x-k8s.io/v1alpha4", cfg.APIVersion)
	}
	cfg.Name = c.Name
	if len(cfg.Nodes) == 0 {
		cfg.Nodes = []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}
	}
	if cfg.Networking.APIServerPort == 0 {
		// The runtime picks the port: a port that is free on this machine may be taken
		// on the runtime's.
		cfg.Networking.APIServerPort = -1
	}
	published := map[int]bool{APIPort: true}
	if port, ok := c.Ports[APIPort]; ok {
		cfg.Networking.APIServerPort = int32(port)
		cfg.Networking.APIServerAddress = c.Listen
	}
	for n := range cfg.Nodes {
		for p := range cfg.Nodes[n].ExtraPortMappings {
			mapping := &cfg.Nodes[n].ExtraPortMappings[p]
			published[int(mapping.ContainerPort)] = true
			if port, ok := c.Ports[int(mapping.ContainerPort)]; ok {
				mapping.HostPort = int32(port)
				if port == 0 {
					mapping.HostPort = -1 // tells Kind to let the runtime choose
				}
			}
			if c.Listen != "" {
				mapping.ListenAddress = c.Listen
			}
		}
	}
	for port := range c.Ports {
		if !published[port] {
			return nil, fmt.Errorf("Kind's configuration does not publish the node's port %d", port)
		}
	}
	for range c.Workers {
		cfg.Nodes = append(cfg.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole})
	}
	return &cfg, nil
}

// wanted has the settings of a cluster in a form that can be compared with an existing one.
type wanted struct {
	nodes int
	ports map[int]int
	// listen are the host's addresses of the ports.
	listen map[int]string
}

func (c *Cluster) wanted() (wanted, error) {
	cfg, err := c.kindConfig()
	if err != nil {
		return wanted{}, err
	}
	w := wanted{nodes: len(cfg.Nodes), ports: map[int]int{}, listen: map[int]string{}}
	for _, n := range cfg.Nodes {
		for _, p := range n.ExtraPortMappings {
			if p.HostPort > 0 {
				w.ports[int(p.ContainerPort)] = int(p.HostPort)
				w.listen[int(p.ContainerPort)] = orAny(p.ListenAddress)
			}
		}
	}
	if port := cfg.Networking.APIServerPort; port > 0 {
		w.ports[APIPort] = int(port)
	}
	return w, nil
}

// differences lists, in words, the settings in which the nodes differ from the wanted ones.
func (w wanted) differences(found []container) []string {
	var out []string
	if len(found) != w.nodes {
		out = append(out, fmt.Sprintf("it has %d nodes, not %d", len(found), w.nodes))
	}
	ports, listen := map[int]int{}, map[int]string{}
	for _, n := range found {
		maps.Copy(ports, n.Ports)
		maps.Copy(listen, n.Listen)
	}
	for _, inside := range slices.Sorted(maps.Keys(w.ports)) {
		if have, want := ports[inside], w.ports[inside]; have != want {
			out = append(out, fmt.Sprintf("its port %d is the host's port %s, not %d", inside, orNone(have), want))
		} else if have, want := listen[inside], w.listen[inside]; want != "" && have != want {
			out = append(out, fmt.Sprintf("its port %d is published on %s, not on %s", inside, have, want))
		}
	}
	return out
}

func orNone(port int) string {
	if port == 0 {
		return "(none)"
	}
	return fmt.Sprint(port)
}

// port returns the host's port that leads to the node's port; 0 when the cluster was made
// without such a port.
func port(found []container, inside int) int {
	for _, n := range found {
		if p := n.Ports[inside]; p != 0 {
			return p
		}
	}
	return 0
}

// minor returns the Kubernetes minor version that a node image's tag names, or 0.
func minor(image string) int {
	_, tag, _ := strings.Cut(strings.SplitN(image, "@", 2)[0], ":v1.")
	var n int
	if _, err := fmt.Sscanf(tag, "%d", &n); err != nil {
		return 0
	}
	return n
}
