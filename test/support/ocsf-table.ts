/**
 * What OCSF 1.8.0 (https://schema.ocsf.io/1.8.0) says of the classes and objects that exports have:
 * one attribute a line: its name (`!` required, `[]` a list), its type, and of a closed list its
 * values (number=caption).
 */
export interface OcsfObject {
  readonly attributes: readonly string[];
  /** It has one of these. */
  readonly atLeastOne?: readonly string[];
}

const BASE = [
  'activity_name string',
  'category_name string',
  'class_name string',
  'count integer',
  'duration long',
  'end_time timestamp',
  'message string',
  'metadata! metadata',
  'severity string',
  'severity_id! integer 0=Unknown 1=Informational 2=Low 3=Medium 4=High 5=Critical 6=Fatal 99=*',
  'start_time timestamp',
  'status string',
  'status_code string',
  'status_detail string',
  'status_id integer 0=Unknown 1=Success 2=Failure 99=*',
  'time! timestamp',
  'type_name string',
  'type_uid! long',
  'unmapped any',
];

export const OCSF: Readonly<Record<string, OcsfObject>> = {
  '6003': {
    attributes: [
      ...BASE,
      'activity_id! integer 0=Unknown 1=Create 2=Read 3=Update 4=Delete 99=*',
      'category_uid! integer 6=Application_Activity',
      'class_uid! integer 6003=API_Activity',
      'actor! actor',
      'api! api',
      'dst_endpoint network_endpoint',
      'http_request http_request',
      'http_response http_response',
      'resources[] resource_details',
      'src_endpoint! network_endpoint',
    ],
  },
  '3002': {
    attributes: [
      ...BASE,
      'activity_id! integer 0=Unknown 1=Logon 2=Logoff 3=Authentication_Ticket ' +
        '4=Service_Ticket_Request 5=Service_Ticket_Renew 6=Preauth 7=Account_Switch 99=*',
      'category_uid! integer 3=Identity_&_Access_Management',
      'class_uid! integer 3002=Authentication',
      'actor actor',
      'auth_protocol string',
      'auth_protocol_id integer 0=Unknown 1=NTLM 2=Kerberos 3=Digest 4=OpenID 5=SAML 6=OAUTH_2.0 ' +
        '7=PAP 8=CHAP 9=EAP 10=RADIUS 11=Basic_Authentication 12=LDAP 99=*',
      'dst_endpoint network_endpoint',
      'http_request http_request',
      'http_response http_response',
      'is_cleartext boolean',
      'is_mfa boolean',
      'is_remote boolean',
      'service service',
      'src_endpoint network_endpoint',
      'user! user',
    ],
    atLeastOne: ['service', 'dst_endpoint'],
  },
  metadata: {
    attributes: [
      'correlation_uid string',
      'event_code string',
      'log_name string',
      'log_provider string',
      'logged_time timestamp',
      'original_time string',
      'product! product',
      'reporter reporter',
      'sequence integer',
      'uid string',
      'version! string',
    ],
  },
  reporter: {
    attributes: ['hostname string', 'ip ip', 'name string', 'uid string'],
    atLeastOne: ['hostname', 'ip', 'name', 'uid'],
  },
  product: {
    attributes: ['name string', 'uid string', 'vendor_name string', 'version string'],
    atLeastOne: ['name', 'uid'],
  },
  service: {
    attributes: ['name string', 'uid string', 'version string'],
    atLeastOne: ['name', 'uid'],
  },
  actor: {
    attributes: ['app_name string', 'app_uid string', 'user user'],
    atLeastOne: ['process', 'user', 'invoked_by', 'session', 'app_name', 'app_uid'],
  },
  user: {
    attributes: [
      'name string',
      'type string',
      'type_id integer 0=Unknown 1=User 2=Admin 3=System 4=Service 99=*',
      'uid string',
    ],
    atLeastOne: ['account', 'name', 'uid'],
  },
  api: {
    attributes: [
      'group any',
      'operation! string',
      'request request',
      'response response',
      'service service',
      'version string',
    ],
  },
  request: { attributes: ['flags any', 'uid! string'] },
  response: {
    attributes: ['code integer', 'error string', 'error_message string', 'message string'],
  },
  http_request: {
    attributes: [
      'body_length integer',
      'http_method string CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE',
      'uid string',
      'url url',
      'user_agent string',
    ],
  },
  http_response: {
    attributes: ['body_length integer', 'code! integer', 'latency integer', 'message string'],
  },
  url: {
    attributes: ['path string', 'url_string string'],
    atLeastOne: ['url_string', 'path'],
  },
  network_endpoint: {
    attributes: ['hostname string', 'ip ip', 'name string', 'svc_name string', 'uid string'],
    atLeastOne: ['ip', 'uid', 'name', 'hostname', 'svc_name'],
  },
  resource_details: {
    attributes: ['name string', 'type string', 'uid string'],
    atLeastOne: ['name', 'uid'],
  },
};
