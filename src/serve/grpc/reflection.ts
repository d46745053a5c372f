import {
  create,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ServerReflection as ReflectionV1 } from "../proto/reflection_v1_pb.ts";
import { ServerReflection as ReflectionV1Alpha } from "../proto/reflection_v1alpha_pb.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { frame } from "./framing.ts";
import { pathOf, type Route } from "./route.ts";
import { grpcStatus } from "./status.ts";
import { decodeMessage, type Message, wholeMessage } from "./unary-call.ts";

/** What reflection can be asked about: files by name, and the file of every symbol. */
interface Catalogue {
  readonly services: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly fileOfSymbol: ReadonlyMap<string, DescFile>;
}

/** Server reflection, v1 and v1alpha, which differ in their names alone. */
export function reflectionRoutes(
  services: readonly DescService[],
): readonly (readonly [string, Route])[] {
  const own = [ReflectionV1, ReflectionV1Alpha];
  const catalogue = makeCatalogue([...services, ...own]);
  return own.map(({ method }) => [
    pathOf(method.serverReflectionInfo),
    {
      group: "metadata",
      open: (call) => new ReflectionCall(catalogue, method.serverReflectionInfo, call),
    },
  ]);
}

function makeCatalogue(services: readonly DescService[]): Catalogue {
  const files = new Map<string, DescFile>();
  const fileOfSymbol = new Map<string, DescFile>();
  const addFile = (file: DescFile): void => {
    const name = fileName(file);
    if (files.has(name)) return;
    files.set(name, file);
    for (const symbol of symbolsOf(file)) fileOfSymbol.set(symbol, file);
    file.dependencies.forEach(addFile);
  };
  for (const { file } of services) addFile(file);
  return { services: services.map(({ typeName }) => typeName).sort(), files, fileOfSymbol };
}

const fileName = (file: DescFile): string => `${file.name}.proto`;

function symbolsOf(file: DescFile): string[] {
  const ofMessage = (message: DescMessage): string[] => [
    message.typeName,
    ...message.fields.map(({ name }) => `${message.typeName}.${name}`),
    ...message.nestedEnums.map(({ typeName }) => typeName),
    ...message.nestedMessages.flatMap(ofMessage),
  ];
  return [
    ...file.messages.flatMap(ofMessage),
    ...file.enums.map(({ typeName }) => typeName),
    ...file.services.flatMap((service) => [
      service.typeName,
      ...service.methods.map(({ name }) => `${service.typeName}.${name}`),
    ]),
  ];
}

/** The shape of a request in both versions. */
interface ReflectionRequest {
  readonly host: string;
  readonly messageRequest: { readonly case: string | undefined; readonly value?: unknown };
}

class ReflectionCall implements CallHandler {
  readonly #catalogue: Catalogue;
  readonly #method: DescMethod;
  readonly #call: GrpcCall;
  #message: Message = { bytes: new GatheredBytes(), isCompressed: false };
  /** Answers keep the order of the questions, also where some are compressed. */
  #answered: Promise<void> = Promise.resolve();

  constructor(catalogue: Catalogue, method: DescMethod, call: GrpcCall) {
    this.#catalogue = catalogue;
    this.#method = method;
    this.#call = call;
  }

  start(_byteLength: number, isCompressed: boolean): void {
    this.#message = { bytes: new GatheredBytes(), isCompressed };
  }

  data(bytes: Buffer): void {
    this.#message.bytes.push(bytes);
  }

  end(): void {
    const message = this.#message;
    this.#answered = this.#answered
      .then(() => this.#answer(message))
      .catch((error: unknown) => this.#call.fail(error));
  }

  inputEnded(): void {
    void this.#answered.then(() => this.#call.finish());
  }

  closed(): void {}

  async #answer(message: Message): Promise<void> {
    const bytes = await wholeMessage(message, this.#call);
    const request = decodeMessage(this.#method.input, bytes) as unknown as ReflectionRequest;
    const response = create(this.#method.output, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#look(request.messageRequest),
    } as never);
    this.#call.send([frame(toBinary(this.#method.output, response))]);
  }

  #look({ case: question, value }: ReflectionRequest["messageRequest"]) {
    const { files, fileOfSymbol, services } = this.#catalogue;
    switch (question) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return fileAnswer(files.get(String(value)), `no file '${value}'`);
      case "fileContainingSymbol":
        return fileAnswer(fileOfSymbol.get(String(value)), `no symbol '${value}'`);
      default:
        return fileAnswer(undefined, "there are no extensions");
    }
  }
}

/** A file with all that it imports, so that clients need not ask again. */
function fileAnswer(file: DescFile | undefined, problem: string) {
  if (file === undefined) {
    return {
      case: "errorResponse",
      value: { errorCode: grpcStatus.NOT_FOUND, errorMessage: problem },
    };
  }
  const files = new Set<DescFile>();
  const add = (one: DescFile): void => {
    if (files.has(one)) return;
    files.add(one);
    one.dependencies.forEach(add);
  };
  add(file);
  return {
    case: "fileDescriptorResponse",
    value: {
      fileDescriptorProto: [...files].map(({ proto }) =>
        toBinary(FileDescriptorProtoSchema, proto),
      ),
    },
  };
}
