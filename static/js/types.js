/** The shapes of what the server says and of who listens to it. Types only. See docs/protocol.rst, Events. */

/** @typedef {{type: string, id?: number | string | null, [member: string]: any}} Message a text frame, decoded */

/**
 * @typedef {Object} ProcessRecord
 * @property {number} process
 * @property {string} name
 * @property {string} runner
 * @property {string} line
 * @property {boolean} pty
 * @property {number} rows
 * @property {number} cols
 * @property {"running" | "exited"} state
 * @property {number | null} exit_code
 * @property {string | null} signal
 * @property {number[]} survivors
 * @property {number} started seconds since 1970
 * @property {number | null} duration seconds
 * @property {number} offset the first byte that this client was going to be sent when it attached
 * @property {number} end output bytes so far
 * @property {number} taken input bytes of this client that the server has accepted
 */

/** @typedef {{id: string, name: string, owner: string, linger: number}} Session */

/** @typedef {{window: number, input: number, frame: number, scrollback: number, linger: number, processes: number}} Limits */

/** @typedef {Error & {code: string}} CodedError its code is one of the protocol's, or "disconnected" */

/**
 * Who listens to a Client; everything may be left out.
 *
 * @typedef {Object} Listener
 * @property {(event: Message, restarted: boolean) => void} [hello] restarted: it is not the server that we knew
 * @property {(event: Message, how: {resumed: boolean}) => void} [attached] resumed: it is the session that we knew
 * @property {(record: ProcessRecord) => void} [started]
 * @property {(process: number, stream: number, bytes: Uint8Array, end: number) => void} [output]
 * @property {(process: number, channel: string, bytes: Uint8Array<ArrayBuffer>) => void} [said] on a side channel
 * @property {(event: Message) => void} [gap]
 * @property {(event: Message) => void} [exited] after all its output; also when it exited while we were away
 * @property {(event: Message) => void} [resized]
 * @property {(event: Message) => void} [renamed]
 * @property {(process: number) => void} [removed]
 * @property {(event: Message) => void} [presence]
 * @property {(reason: string) => void} [closed]
 * @property {(event: Message) => void} [failed] an error that no request waits for
 * @property {(reason: string) => void} [lost] the session could not be attached again; reason is the error's code
 * @property {(process: number, bytes: number) => void} [kept] so much typed input waits for the connection
 * @property {(event: Message) => void} [other] an event that this client does not know
 */

export {};
