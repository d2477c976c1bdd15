// The services of a peer on Go's net: a goroutine for each connection, as its documentation has it.
// Go sets TCP_NODELAY by itself.
//
// Usage: echo SERVICE PORT_FILE (the port in decimal appears there once it listens). Services are
// echo, lines (answers are collected while input is at hand) and datagrams.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"time"
)

const bufferBytes = 16 * 1024

func main() {
	service, portFile := os.Args[1], os.Args[2]
	if service == "datagrams" {
		datagrams(portFile)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	check(err)
	announce(portFile, listener.Addr().(*net.TCPAddr).Port)
	handle := echo
	if service == "lines" {
		handle = lines
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go handle(connection)
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferBytes)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func lines(connection net.Conn) {
	defer connection.Close()
	reading, writing := bufio.NewReader(connection), bufio.NewWriter(connection)
	for {
		line, err := reading.ReadSlice('\n')
		if err != nil {
			return
		}
		if _, err := writing.Write(line); err != nil {
			return
		}
		if reading.Buffered() == 0 && writing.Flush() != nil {
			return
		}
	}
}

func datagrams(portFile string) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err)
	announce(portFile, socket.LocalAddr().(*net.UDPAddr).Port)
	buffer := make([]byte, bufferBytes)
	for {
		count, sender, err := socket.ReadFromUDPAddrPort(buffer)
		check(err)
		socket.WriteToUDPAddrPort(buffer[:count], sender)
	}
}

func announce(portFile string, port int) {
	check(os.WriteFile(portFile+".new", []byte(fmt.Sprintf("%d\n", port)), 0o644))
	check(os.Rename(portFile+".new", portFile))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
