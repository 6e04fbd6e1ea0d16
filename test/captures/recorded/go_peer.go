// A TLS client and server of Go's standard library.
// usage: go_peer server ADDRESS CERTIFICATE KEY [ech FILE] | go_peer client ADDRESS NAME CA TIMES [ech FILE]
package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log"
	"os"
	"strconv"
	"time"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// An ECHConfig (RFC 9849) of X25519, HKDF-SHA256, AES-128-GCM for public.example.com.
func echConfig(public []byte) []byte {
	name := "public.example.com"
	body := []byte{7, 0, 0x20}
	body = binary.BigEndian.AppendUint16(body, uint16(len(public)))
	body = append(body, public...)
	body = append(body, 0, 4, 0, 1, 0, 1, 0, byte(len(name)))
	body = append(body, name...)
	body = append(body, 0, 0)
	config := []byte{0xfe, 0x0d}
	config = binary.BigEndian.AppendUint16(config, uint16(len(body)))
	return append(config, body...)
}

func server(args []string) {
	config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(args[1], args[2]))}
	if len(args) > 4 {
		key := must(ecdh.X25519().GenerateKey(rand.Reader))
		ech := echConfig(key.PublicKey().Bytes())
		config.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: ech, PrivateKey: key.Bytes(), SendAsRetry: true}}
		list := binary.BigEndian.AppendUint16(nil, uint16(len(ech)))
		if err := os.WriteFile(args[4], append(list, ech...), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	l := must(tls.Listen("tcp", args[0], config))
	for {
		c, err := l.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

func client(args []string) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(args[2])))
	config := &tls.Config{ServerName: args[1], RootCAs: pool, NextProtos: []string{"h2", "http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if len(args) > 5 {
		config.EncryptedClientHelloConfigList = must(os.ReadFile(args[5]))
	}
	for range must(strconv.Atoi(args[3])) {
		c := must(tls.Dial("tcp", args[0], config))
		c.Write([]byte("hello"))
		io.ReadFull(c, make([]byte, 5))
		c.Close()
		time.Sleep(100 * time.Millisecond)
	}
}

func main() {
	if os.Args[1] == "server" {
		server(os.Args[2:])
	} else {
		client(os.Args[2:])
	}
}
