/* SPDX-License-Identifier: MIT */
/* Keys and certificates of the TLS tests, as tests/daemon/ca.py makes them: valid from 2020 to 2099
 * but for `expired`. `stranger` is of an authority that nobody trusts. */
#ifndef TESTS_UNIT_TLS_CERTS_H
#define TESTS_UNIT_TLS_CERTS_H

static const char authority_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBVzCB/aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB1Rlc3QgY2Ew\n"
    "IBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBIxEDAOBgNVBAMMB1Rl\n"
    "c3QgY2EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASdVjWJLBKo6ZqpDOpx7el/\n"
    "RcSvQIRWslbBvjEXdmvekmI+E+/Pce1z8/TOvkPl2ifhCv8ISHbBQGDXK+48MTWF\n"
    "o0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQU\n"
    "pC+ZQToi2b66z40kwGSlPz7UwoAwCgYIKoZIzj0EAwIDSQAwRgIhAMU9blkk6Iry\n"
    "pDuDyv6byV4XiNC2G4/FIJdYqUaVfcUYAiEAqLLe2pSlRVC7Tz4M34HUMJruRBp5\n"
    "29vEvriAPXDS1bs=\n"
    "-----END CERTIFICATE-----\n";

static const char good_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBxDCCAWmgAwIBAgIBAjAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IGNh\n"
                               "MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAUMRIwEAYDVQQDDAln\n"
                               "b29kLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQVvkOOAM23mQLqQZLn\n"
                               "WUkzd30gR14csYtdunUx98w07MgUCcBrrMkRk5JnmTV7w3YRe1Q3wIWIaM1dyaJK\n"
                               "z+AAo4GrMIGoMAkGA1UdEwQCMAAwCwYDVR0PBAQDAgWgMBMGA1UdJQQMMAoGCCsG\n"
                               "AQUFBwMBMDkGA1UdEQQyMDCCCWdvb2QudGVzdIILKi53aWxkLnRlc3SHBH8AAAGH\n"
                               "EAAAAAAAAAAAAAAAAAAAAAEwHQYDVR0OBBYEFAt7XaXSRal83XnUptAFvbdlgfrS\n"
                               "MB8GA1UdIwQYMBaAFKQvmUE6Itm+us+NJMBkpT8+1MKAMAoGCCqGSM49BAMCA0kA\n"
                               "MEYCIQCuBiGP2qnhxpoNsH4Eu6/JFwJPsYmpcox8fGw4oiKtNgIhAPb68KS/oCAP\n"
                               "6Fx/Gte1D9+e6fmUDzn2/lQlUG1qLd1M\n"
                               "-----END CERTIFICATE-----\n";

static const char good_key[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg011P1VR49flRdEkv\n"
                               "NqINRtjbO+giQ95UuzraYvxwm9GhRANCAAQVvkOOAM23mQLqQZLnWUkzd30gR14c\n"
                               "sYtdunUx98w07MgUCcBrrMkRk5JnmTV7w3YRe1Q3wIWIaM1dyaJKz+AA\n"
                               "-----END PRIVATE KEY-----\n";

static const char expired_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnDCCAUKgAwIBAgIBAzAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IGNh\n"
    "MB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJZ29v\n"
    "ZC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGDKk1XLNtJbhpNL3GBV3\n"
    "BYw52mNphq49pi68O4RLFBdaMomv/n/clb5Q690K2htG+zuRRfqQ0llY8d3nMfFu\n"
    "pKOBhjCBgzAJBgNVHRMEAjAAMAsGA1UdDwQEAwIFoDATBgNVHSUEDDAKBggrBgEF\n"
    "BQcDATAUBgNVHREEDTALgglnb29kLnRlc3QwHQYDVR0OBBYEFGgI8lbNKj40X1/W\n"
    "8FfRgHitzFVSMB8GA1UdIwQYMBaAFKQvmUE6Itm+us+NJMBkpT8+1MKAMAoGCCqG\n"
    "SM49BAMCA0gAMEUCIC4SqxuaZF2R+N/oOPDM13Dv5c1yLv1AmDlSOv2XxD5GAiEA\n"
    "wLrCMslBMCeZliqip1WQ8s8zkdOJVS9qxtvPMHDd1jk=\n"
    "-----END CERTIFICATE-----\n";

static const char expired_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRte74aG8fYd9OXua\n"
    "ibKUp+UDbSVvrTmdvUFt4/CsdEWhRANCAAQYMqTVcs20luGk0vcYFXcFjDnaY2mG\n"
    "rj2mLrw7hEsUF1oyia/+f9yVvlDr3QraG0b7O5FF+pDSWVjx3ecx8W6k\n"
    "-----END PRIVATE KEY-----\n";

static const char stranger_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBoTCCAUegAwIBAgIBAjAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApUZXN0IG90\n"
    "aGVyMCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAUMRIwEAYDVQQD\n"
    "DAlnb29kLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASuz3xCevBWs7JM\n"
    "ede7Wy+gqgViL4F8f0YH13Wnp0lbFSG2+edoGoHsmQLJHdEy4MbUTUPqUY+yWOn2\n"
    "uu1LYJMro4GGMIGDMAkGA1UdEwQCMAAwCwYDVR0PBAQDAgWgMBMGA1UdJQQMMAoG\n"
    "CCsGAQUFBwMBMBQGA1UdEQQNMAuCCWdvb2QudGVzdDAdBgNVHQ4EFgQUV0C8lIFR\n"
    "xWQ35mGGhjl5eHpTtLMwHwYDVR0jBBgwFoAUDKSj5G0T8DeLHerncQF5yFYG4kww\n"
    "CgYIKoZIzj0EAwIDSAAwRQIhANBIo4p+IQGmNtlMLPI3//uXMTUDzjeZUhn/GC1P\n"
    "tXDJAiBSvd2J30R1ANOR1ox3HocJUJyRz8iqcwfIg7lvVjxuzg==\n"
    "-----END CERTIFICATE-----\n";

static const char stranger_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0lLYJiczOxTvcprF\n"
    "A8RH0d4E7oguGlfO7LCFv2JBIuihRANCAASuz3xCevBWs7JMede7Wy+gqgViL4F8\n"
    "f0YH13Wnp0lbFSG2+edoGoHsmQLJHdEy4MbUTUPqUY+yWOn2uu1LYJMr\n"
    "-----END PRIVATE KEY-----\n";

#endif
