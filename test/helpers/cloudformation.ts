/** CloudFormation's reading of a template: parameters, rules, conditions and functions, without an account. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument, visit, type ScalarTag } from 'yaml'
import { ROOT } from '../../tools/shared/root.js'

export interface TemplateParameter {
  Type: string
  Default?: string | number
  AllowedPattern?: string
  AllowedValues?: Array<string | number>
  MinValue?: number
  MaxValue?: number
  ConstraintDescription?: string
  Description: string
}

export interface TemplateResource {
  Type: string
  Condition?: string
  DependsOn?: string | string[]
  Properties?: Record<string, any>
  [attribute: string]: unknown
}

interface Rule {
  RuleCondition?: unknown
  Assertions: Array<{ Assert: unknown, AssertDescription: string }>
}

export interface Template {
  /** As it is in the file. */
  text: string
  Parameters: Record<string, TemplateParameter>
  Rules?: Record<string, Rule>
  Conditions?: Record<string, unknown>
  Mappings?: Record<string, Record<string, Record<string, unknown>>>
  Resources: Record<string, TemplateResource>
  Outputs: Record<string, { Condition?: string, Description: string, Value: unknown }>
}

export interface StackInput {
  region?: string
  /** Lists are comma-separated, as on the command line. */
  parameters?: Record<string, string>
  /** What Ref or an attribute of a resource is; absent: a text that names both. */
  physicalId? (logicalId: string, attribute: string | null): string
  /** Absent: that of the parameters. */
  vpcOf? (subnet: string): string
  zoneOf? (subnet: string): string
}

/** A reference of a resource, output or condition to a resource. */
export interface Reference { from: string, logicalId: string, attribute: string | null }

export interface Stack {
  /** Those whose condition holds, with every function evaluated. */
  resources: Record<string, TemplateResource>
  outputs: Record<string, unknown>
  references: Reference[]
}

const FUNCTIONS = [
  'Sub', 'GetAtt', 'If', 'Not', 'Equals', 'And', 'Or', 'Select', 'Split', 'Join', 'FindInMap', 'Base64', 'Contains'
]
const PSEUDO_PARAMETERS: Record<string, string> = {
  'AWS::AccountId': '123456789012',
  'AWS::Partition': 'aws',
  'AWS::StackId': 'arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1a2b3c4d-0000-11ee-8c99-0242ac120002',
  'AWS::StackName': 'shop',
  'AWS::URLSuffix': 'amazonaws.com'
}
const NO_VALUE = Symbol('AWS::NoValue')

const longName = (name: string): string => name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`
const TAGS = ['Ref', 'Condition', ...FUNCTIONS].flatMap(name => [
  { tag: `!${name}`, resolve: (value: string) => ({ [longName(name)]: value }) } satisfies ScalarTag,
  {
    tag: `!${name}`,
    collection: 'seq' as const,
    resolve: (value: { toJSON (): unknown }) => ({ [longName(name)]: value.toJSON() })
  }
])

/**
 * @param version of YAML; CloudFormation reads 1.1, in which 04:00 is a number, and off is false
 * @throws Error when the file is no YAML, or has aliases, which CloudFormation does not promise to read
 */
export function readTemplate (file: string, version: '1.1' | '1.2' = '1.1'): Template {
  const text = readFileSync(join(ROOT, 'infra', file), 'utf8')
  const document = parseDocument(text, { customTags: TAGS as never, version })
  const [fault] = document.errors
  if (fault !== undefined) throw new Error(`${file}: ${fault.message}`)
  visit(document, { Alias (_key, { source }) { throw new Error(`${file} has the alias ${source}.`) } })
  return { ...document.toJS() as Template, text }
}

const isList = (type: string): boolean => type === 'CommaDelimitedList' || type.startsWith('List<')

/** Why CloudFormation takes none of these values, parameter by parameter. */
export function parameterFaults ({ Parameters }: Template, given: Record<string, string> = {}): string[] {
  const unknown = Object.keys(given).filter(name => !(name in Parameters)).map(name => `${name} does not exist`)
  return [...unknown, ...Object.entries(Parameters).flatMap(([name, parameter]) => {
    const value = given[name] ?? parameter.Default
    if (value === undefined) return [`${name} must have a value`]
    const { AllowedPattern, AllowedValues, MinValue = -Infinity, MaxValue = Infinity, Type } = parameter
    const entries = isList(Type) ? String(value).split(',') : [String(value)]
    const fits = entries.every(entry =>
      (AllowedPattern === undefined || new RegExp(`^(?:${AllowedPattern})$`).test(entry)) &&
      (AllowedValues === undefined || AllowedValues.map(String).includes(entry)) &&
      (Type !== 'Number' || (Number(entry) >= MinValue && Number(entry) <= MaxValue)))
    return fits ? [] : [`${name} ${parameter.ConstraintDescription ?? 'is not allowed'}`]
  })]
}

class Evaluation {
  readonly references: Reference[] = []
  readonly #template: Template
  readonly #input: StackInput
  #from = ''

  constructor (template: Template, input: StackInput) {
    this.#template = template
    this.#input = input
  }

  evaluate (value: unknown, from: string): unknown {
    this.#from = from
    return this.#value(value)
  }

  condition (name: string): boolean {
    const condition = this.#template.Conditions?.[name]
    if (condition === undefined) throw new Error(`${this.#from}: there is no condition ${name}.`)
    return this.#value(condition) as boolean
  }

  #value (value: unknown): unknown {
    if (Array.isArray(value)) return value.map(entry => this.#value(entry)).filter(entry => entry !== NO_VALUE)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value)
    const [name, argument] = entries[0] ?? []
    if (entries.length === 1 && (name === 'Ref' || name === 'Condition' || name!.startsWith('Fn::'))) {
      return this.#call(name!, argument)
    }
    return Object.fromEntries(entries.map(([key, entry]) => [key, this.#value(entry)])
      .filter(([, entry]) => entry !== NO_VALUE))
  }

  #call (name: string, argument: any): unknown {
    const list = (): any => this.#value(argument)
    switch (name) {
      case 'Ref': return this.#ref(argument)
      case 'Condition': return this.condition(argument)
      case 'Fn::GetAtt': {
        const [logicalId, ...attribute] = Array.isArray(argument) ? argument : String(argument).split('.')
        return this.#resource(logicalId, attribute.join('.'))
      }
      case 'Fn::Sub': return this.#sub(argument)
      case 'Fn::If': return this.#value(this.condition(argument[0]) ? argument[1] : argument[2])
      case 'Fn::Not': return !list()[0]
      case 'Fn::Equals': return String(list()[0]) === String(list()[1])
      case 'Fn::And': return list().every(Boolean)
      case 'Fn::Or': return list().some(Boolean)
      case 'Fn::Select': return list()[1][Number(list()[0])]
      case 'Fn::Split': return String(list()[1]).split(this.#literal(name, argument[0]))
      case 'Fn::Join': return list()[1].join(this.#literal(name, argument[0]))
      case 'Fn::Base64': return Buffer.from(list()).toString('base64')
      case 'Fn::FindInMap': {
        const [map, first, second] = list()
        const found = this.#template.Mappings?.[map]?.[first]?.[second]
        if (found === undefined) throw new Error(`${this.#from}: ${map} has no ${first}, ${second}.`)
        return found
      }
      case 'Fn::Contains': return list()[0].includes(list()[1])
      case 'Fn::EachMemberIn': return list()[0].every((entry: unknown) => list()[1].includes(entry))
      case 'Fn::RefAll': return this.#parametersOf(argument)
      case 'Fn::ValueOfAll': return this.#parametersOf(argument[0]).map(subnet => this.#ofSubnet(subnet, argument[1]))
      case 'Fn::ValueOf': return this.#ofSubnet(this.#parameter(argument[0]) as string, argument[1])
      default: throw new Error(`${this.#from}: ${name} is unknown.`)
    }
  }

  #literal (name: string, delimiter: unknown): string {
    if (typeof delimiter !== 'string') throw new Error(`${this.#from}: the delimiter of ${name} must be a text.`)
    return delimiter
  }

  #parametersOf (type: string): string[] {
    return Object.entries(this.#template.Parameters)
      .filter(([, { Type }]) => Type === type || Type === `List<${type}>`)
      .flatMap(([name]) => this.#parameter(name) as string | string[])
  }

  #ofSubnet (subnet: string, attribute: 'VpcId' | 'AvailabilityZone'): string {
    const { vpcOf, zoneOf } = this.#input
    return attribute === 'VpcId'
      ? vpcOf?.(subnet) ?? this.#parametersOf('AWS::EC2::VPC::Id')[0]!
      : zoneOf?.(subnet) ?? this.#parametersOf('AWS::EC2::AvailabilityZone::Name')[0]!
  }

  #parameter (name: string): string | string[] {
    const { Type, Default } = this.#template.Parameters[name]!
    const value = String(this.#input.parameters?.[name] ?? Default ?? '')
    return isList(Type) ? value.split(',') : value
  }

  #ref (name: string): unknown {
    if (name === 'AWS::NoValue') return NO_VALUE
    if (name === 'AWS::Region') return this.#input.region ?? 'eu-west-1'
    if (name in PSEUDO_PARAMETERS) return PSEUDO_PARAMETERS[name]
    if (name in this.#template.Parameters) return this.#parameter(name)
    return this.#resource(name, null)
  }

  #resource (logicalId: string, attribute: string | null): string {
    if (!(logicalId in this.#template.Resources)) throw new Error(`${this.#from}: there is no ${logicalId}.`)
    this.references.push({ from: this.#from, logicalId, attribute })
    return this.#input.physicalId?.(logicalId, attribute) ?? (attribute === null ? logicalId : `${logicalId}.${attribute}`)
  }

  #sub (argument: string | [string, Record<string, unknown>]): string {
    const [text, variables] = typeof argument === 'string' ? [argument, {}] : argument
    return text.replaceAll(/\$\{(!?)([^}]+)\}/g, (all, literal: string, name: string) => {
      if (literal === '!') return all.replace('!', '')
      if (name in variables) return String(this.#value(variables[name as never]))
      const [logicalId, ...attribute] = name.split('.')
      const value = attribute.length === 0 ? this.#ref(name) : this.#resource(logicalId!, attribute.join('.'))
      if (typeof value !== 'string') throw new Error(`${this.#from}: \${${name}} is no text.`)
      return value
    })
  }
}

/** What the rules of the template say against this stack. */
export function ruleFaults (template: Template, input: StackInput): string[] {
  const evaluation = new Evaluation(template, input)
  return Object.entries(template.Rules ?? {}).flatMap(([name, { RuleCondition = true, Assertions }]) =>
    evaluation.evaluate(RuleCondition, name) === true
      ? Assertions.filter(({ Assert }) => evaluation.evaluate(Assert, name) !== true)
        .map(({ AssertDescription }) => AssertDescription)
      : [])
}

/** @throws Error when something is named that does not exist, or that this stack does not make */
export function resolveTemplate (template: Template, input: StackInput = {}): Stack {
  const evaluation = new Evaluation(template, input)
  const isMade = ({ Condition }: { Condition?: string }): boolean =>
    Condition === undefined || evaluation.condition(Condition)
  const made = Object.entries(template.Resources).filter(([, resource]) => isMade(resource))
  const resources = Object.fromEntries(made.map(([logicalId, resource]) =>
    [logicalId, { ...resource, Properties: evaluation.evaluate(resource.Properties ?? {}, logicalId) }])
  ) as Stack['resources']
  const outputs = Object.fromEntries(Object.entries(template.Outputs).filter(([, output]) => isMade(output))
    .map(([name, { Value }]) => [name, evaluation.evaluate(Value, name)]))
  const dependencies = made.flatMap(([from, { DependsOn = [] }]) => [DependsOn].flat().map(logicalId =>
    ({ from, logicalId, attribute: null })))
  for (const { from, logicalId } of [...evaluation.references, ...dependencies]) {
    if (!(logicalId in resources)) throw new Error(`${from} needs ${logicalId}, which is not made.`)
  }
  return { resources, outputs, references: evaluation.references }
}
